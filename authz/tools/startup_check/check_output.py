"""Print the report of `authz check` as text or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from authz.terminal import Style
from authz.tools.startup_check.entry import Entry, Level


def as_text(entries: Sequence[Entry], style: Style) -> str:
    """One line per check, a problem with its position and fix, and a last line with the counts."""
    paint = {Level.OK: style.good, Level.WARNING: style.warning, Level.FAILURE: style.bad}
    lines = []
    for entry in entries:
        took = f" ({entry.seconds:.2f} s)" if entry.seconds is not None else ""
        said = str(entry.problem) if entry.problem is not None else f"{entry.subject}: {entry.detail}"
        lines.append(f"{paint[entry.level](f'{entry.level:<8}')}{said}{took}")
    counts = Counter(entry.level for entry in entries)
    lines.append(f"failures: {counts[Level.FAILURE]}, warnings: {counts[Level.WARNING]}, ok: {counts[Level.OK]}")
    return "\n".join(lines) + "\n"


def as_json(entries: Sequence[Entry], _style: Style) -> str:
    """A list of objects. Members without a value are null."""
    return json.dumps({"checks": [_described(entry) for entry in entries]}, indent=2) + "\n"


def _described(entry: Entry) -> dict[str, Any]:
    problem = entry.problem
    place = problem.location if problem is not None else None
    return {
        "subject": entry.subject,
        "level": entry.level.value,
        "detail": problem.message if problem is not None else entry.detail,
        "fix": problem.fix if problem is not None else None,
        "file": place.file if place is not None else None,
        "line": place.line if place is not None else None,
        "column": place.column if place is not None else None,
        "seconds": round(entry.seconds, 3) if entry.seconds is not None else None,
    }


FORMATS = {"text": as_text, "json": as_json}
