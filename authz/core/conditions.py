"""What can be demanded of groups and claims, in policies and in grants alike.

Comparison is exact: no patterns, no prefixes, no case folding. A value that cannot be compared meets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from authz.core.claims import ClaimName
from authz.core.userinfo import NOTHING

Scalar = str | int | float | tuple[str, bool]
"""A comparable claim value. Booleans are wrapped, since Python holds `True == 1` and JSON does not."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A demand on a set: everything of `all_of`, something of `any_of`, nothing of `none_of`."""

    all_of: frozenset[Scalar] = frozenset()
    any_of: frozenset[Scalar] = frozenset()
    """Empty where nothing was demanded; an operator's empty list is refused before it gets here."""
    none_of: frozenset[Scalar] = frozenset()

    def met_by(self, values: frozenset[Any]) -> bool:
        """Whether these values satisfy every part of the demand."""
        return (
            self.all_of <= values
            and (not self.any_of or not self.any_of.isdisjoint(values))
            and self.none_of.isdisjoint(values)
        )

    def missing_from(self, values: frozenset[Any]) -> frozenset[Scalar]:
        """What would have to be added: all that lacks of `all_of`, else any one of `any_of`; empty where nothing."""
        lacking = self.all_of - values
        if not lacking and self.any_of.isdisjoint(values):
            return self.any_of
        return lacking


@dataclass(frozen=True, slots=True)
class Conditions:
    """Demands on groups and on claims. Without any, everything is met."""

    groups: Membership | None = None
    claims: tuple[tuple[ClaimName, Membership], ...] = ()

    def unmet(
        self, claims: Mapping[str, Any], groups: frozenset[str] | None, userinfo: Mapping[str, Any] = NOTHING
    ) -> str:
        """The first demand that is not met, in words for the log; empty where all are met.

        `groups` is None where the groups claim is there and is not a list of strings: it meets no demand.
        """
        if self.groups is not None and (groups is None or not self.groups.met_by(groups)):
            return "groups"
        for name, membership in self.claims:
            values = _values(name, userinfo if name.is_from_userinfo else claims)
            if values is None or not membership.met_by(values):
                return f"claim {name.text}"
        return ""


NONE = Conditions()
"""No demands at all."""


def scalar(value: object) -> Scalar | None:
    """The value as it is compared, or None where it is not a string, a number of JSON's or a boolean."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else None


def _values(name: ClaimName, claims: Mapping[str, Any]) -> frozenset[Scalar] | None:
    """A claim as a set: empty where it is absent, None where it holds something that cannot be compared."""
    present, value = name.find(claims)
    if not present:
        return frozenset()
    scalars = [scalar(item) for item in (value if isinstance(value, list) else [value])]
    found = frozenset(item for item in scalars if item is not None)
    return None if None in scalars else found
