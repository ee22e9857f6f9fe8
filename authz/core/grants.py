"""The scopes that a token gets from grants, and the grants that would add a missing scope.

A token of Cognito's user pools API carries no scopes of an application, unless a trigger of the pool adds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from authz.core.conditions import Conditions, Membership
from authz.core.issuers import Issuer

MAX_GROUPS_SHOWN = 5
"""Groups of a token in one log line. A token can have hundreds."""

_SHOWN_CHARACTERS = 60


def granted(issuer: Issuer, claims: Mapping[str, Any], groups: frozenset[str] | None) -> frozenset[str]:
    """Return the scopes of every grant whose conditions the token meets."""
    met = [grant.scopes for grant in issuer.grants if not grant.when.unmet(claims, groups)]
    return frozenset().union(*met)


def advice(issuer: Issuer, groups: frozenset[str] | None, missing: frozenset[Any]) -> str:
    """Return a log text that says which grants would add the missing scopes to a token of the user pools API."""
    helpful = [grant for grant in issuer.grants if grant.scopes & missing]
    if helpful:
        ways = "; or ".join(f"{_listed(grant.scopes & missing)} to {_words(grant.when)}" for grant in helpful)
        return f"a user pools API token in {_groups(groups)}: grants of {issuer.alias} give {ways}"
    return f"a user pools API token in {_groups(groups)}: no grant of {issuer.alias} gives {_listed(missing)}"


def _groups(groups: frozenset[str] | None) -> str:
    if not groups:
        return "no group"
    shown = ", ".join(f"{group!r:.{_SHOWN_CHARACTERS}}" for group in sorted(groups)[:MAX_GROUPS_SHOWN])
    more = len(groups) - MAX_GROUPS_SHOWN
    return f"groups {shown}" + (f" and {more} more" if more > 0 else "")


def _words(conditions: Conditions) -> str:
    """Return conditions in short form for the log."""
    parts = [] if conditions.groups is None else [f"groups {_demand(conditions.groups)}"]
    parts += [f"{name.text} {_demand(membership)}" for name, membership in conditions.claims]
    return " and ".join(parts)


def _demand(membership: Membership) -> str:
    parts = (("all_of", membership.all_of), ("any_of", membership.any_of), ("none_of", membership.none_of))
    return " ".join(f"{name} [{_listed(values)}]" for name, values in parts if values)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, values)))
