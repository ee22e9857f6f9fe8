"""Conditions on groups and claims, for policies and grants.

Comparison is exact: no patterns, no prefixes, no case folding. A value that cannot be compared meets no condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from authz.core.claims import ClaimName
from authz.core.userinfo import NOTHING

Scalar = str | int | float | tuple[str, bool]
"""A comparable claim value. Booleans are wrapped because `True == 1` in Python and not in JSON."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A condition on a set: all of `all_of`, at least one of `any_of`, none of `none_of`."""

    all_of: frozenset[Scalar] = frozenset()
    any_of: frozenset[Scalar] = frozenset()
    """Empty if there is no such condition. An empty list in the configuration is an error, so it never arrives here."""
    none_of: frozenset[Scalar] = frozenset()

    def met_by(self, values: frozenset[Any]) -> bool:
        """Whether these values meet every part of the condition."""
        return (
            self.all_of <= values
            and (not self.any_of or not self.any_of.isdisjoint(values))
            and self.none_of.isdisjoint(values)
        )

    def missing_from(self, values: frozenset[Any]) -> frozenset[Scalar]:
        """Return the missing values: those of `all_of`, or else `any_of`, of which one is enough. Empty if none."""
        lacking = self.all_of - values
        if not lacking and self.any_of.isdisjoint(values):
            return self.any_of
        return lacking


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions on groups and on claims. Without any, every token meets them."""

    groups: Membership | None = None
    claims: tuple[tuple[ClaimName, Membership], ...] = ()

    def unmet(
        self, claims: Mapping[str, Any], groups: frozenset[str] | None, userinfo: Mapping[str, Any] = NOTHING
    ) -> str:
        """Return the first condition that is not met, worded for the log. Empty if all are met.

        `groups` is None if the groups claim is not a list of strings. It then meets no condition on groups.
        """
        if self.groups is not None and (groups is None or not self.groups.met_by(groups)):
            return "groups"
        for name, membership in self.claims:
            values = _values(name, userinfo if name.is_from_userinfo else claims)
            if values is None or not membership.met_by(values):
                return f"claim {name.text}"
        return ""


NONE = Conditions()
"""No conditions."""


def scalar(value: object) -> Scalar | None:
    """Return the comparable form of a value, or None if it is not a string, a JSON number or a boolean."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else None


def _values(name: ClaimName, claims: Mapping[str, Any]) -> frozenset[Scalar] | None:
    """Return a claim as a set: empty if it is absent, None if it contains a value that cannot be compared."""
    present, value = name.find(claims)
    if not present:
        return frozenset()
    scalars = [scalar(item) for item in (value if isinstance(value, list) else [value])]
    return None if None in scalars else frozenset(item for item in scalars if item is not None)
