"""Values and conditions in words for operators. Text from a token is escaped, shortened and counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from authz.core.conditions import Conditions, Membership

MAX_SHOWN = 8
MAX_CHARACTERS = 100


def quoted(value: object) -> str:
    """One value of a stranger's, safe on a terminal and of bounded length."""
    text = ascii(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text)} characters)"


def listed(values: Iterable[Any]) -> str:
    """Several values, sorted; `none` if there are none."""
    items = sorted(str(value[1]).lower() if isinstance(value, tuple) else str(value) for value in values)
    shown = ", ".join(item if _is_plain(item) else quoted(item) for item in items[:MAX_SHOWN])
    return (shown + (f" and {len(items) - MAX_SHOWN} more" if len(items) > MAX_SHOWN else "")) or "none"


def moment(seconds: float) -> str:
    """A time as people write it, in UTC (ISO 8601)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """A duration in at most two units: `2 h 5 min`."""
    left, parts = round(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def demand(membership: Membership) -> str:
    """A demand on a set as the policy has it."""
    parts = (("all of", membership.all_of), ("any of", membership.any_of), ("none of", membership.none_of))
    return "; ".join(f"{name} {listed(values)}" for name, values in parts if values)


def conditions(wanted: Conditions) -> str:
    """Group and claim conditions of a policy or a grant; `no condition` if there are none."""
    parts = [] if wanted.groups is None else [f"groups: {demand(wanted.groups)}"]
    parts += [f"{name.text}: {demand(membership)}" for name, membership in wanted.claims]
    return "; ".join(parts) or "no condition"


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) <= MAX_CHARACTERS
