"""Faults that are put into the comparison on purpose: a generated pair must notice each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from authz.core.conditions import NONE as NO_CONDITIONS
from authz.core.conditions import Membership
from authz.core.policy import BUILT_IN, Policy
from authz.envoy.fields import Fields
from authz.tools.access import relation, token_dimensions
from authz.tools.access.loaded_file import LoadedFile
from authz.tools.access.regions import host_names, refinement, region, route_conditions
from authz.tools.access.regions.intervals import exactly
from authz.tools.access.regions.languages import Language
from authz.tools.access.regions.values import Values, everything
from authz.tools.access.relation import PolicyComparison
from authz.tools.access.token_dimensions import JudgedSide
from authz.tools.access.token_formula import TokenFormula


@dataclass(frozen=True)
class Fault:
    """One fault, and a kind of pair that notices it."""

    name: str
    where: Any
    attribute: str
    wrong: Callable[[Any], Any]
    """Returns what replaces the attribute, given the attribute."""
    kind: str = ""
    """Of a planted widening, also in the other direction if that is `narrowing`."""
    form: str = ""
    is_narrowing: bool = False

    def put_into(self, patch: pytest.MonkeyPatch) -> None:
        """Put the fault into the comparison."""
        patch.setattr(self.where, self.attribute, self.wrong(getattr(self.where, self.attribute)))


def _forgetting(**fields: Any) -> Callable[[Any], Any]:
    """A formula that does not read these fields of the policy."""

    def wrong(right: Callable[[TokenFormula, JudgedSide], int]) -> Callable[[TokenFormula, JudgedSide], int]:
        return lambda self, side: right(self, JudgedSide(side.issuer, replace(side.policy, **fields)))

    return wrong


def _membership(change: Callable[[Membership], Membership]) -> Callable[[Any], Any]:
    return lambda right: lambda self, membership, holds: right(self, change(membership), holds)


def _only_in_direction(direction: int) -> Callable[[Any], Any]:
    """Examples of the other direction are never found."""

    def wrong(right: Any) -> Any:
        return lambda self, iss, sides, wanted, policies: (
            right(self, iss, sides, wanted, policies) if wanted == direction else []
        )

    return wrong


def _that_all_pass(right: Any) -> Any:
    def wrong(*arguments: Any) -> Any:
        return tuple(value for value in right(*arguments) if all(value.passes))

    return wrong


def _without_new_requests(right: Any) -> Any:
    def wrong(*arguments: Any) -> Iterator[Any]:
        return (each for each in right(*arguments) if each[0] is not None)

    return wrong


def _inline_refuses(right: Callable[[LoadedFile, Any], Policy]) -> Any:
    def wrong(self: LoadedFile, at: Any) -> Policy:
        is_inline = at is not None and (at.attachment.policy or "").startswith("{")
        return BUILT_IN["deny"] if is_inline else right(self, at)

    return wrong


def _with_case(right: Any) -> Any:
    def wrong(match: Fields, *views: str) -> Any:
        written = {name: value for name, value in match.value.items() if name != "case_sensitive"}
        return right(Fields(written, match.path), *views)

    return wrong


def _meaning_without(**fields: Any) -> Callable[[Any], Any]:
    return lambda right: lambda configuration, policy: right(configuration, replace(policy, **fields))


_CLAIMS = "_claims_of"
FAULTS = (
    Fault("no widening is looked for", PolicyComparison, "_only", _only_in_direction(0), "scopes dropped"),
    Fault(
        "no narrowing is looked for",
        PolicyComparison,
        "_only",
        _only_in_direction(1),
        "scopes dropped",
        is_narrowing=True,
    ),
    Fault(
        "only issuers of OLD are compared",
        relation,
        "identifiers",
        lambda right: lambda *sides: right(*sides[:1]),
        "issuer added",
    ),
    Fault(
        "no other tenant is imagined", relation, "_tenants_named", lambda _right: lambda *_given: set(), "any tenant"
    ),
    Fault("equal policies of unequal issuers are alike", relation, "ISSUER_FIELDS", lambda _right: {}, "client added"),
    Fault(
        "unequal conditions are alike",
        relation,
        "meaning",
        _meaning_without(conditions=NO_CONDITIONS),
        "groups dropped",
    ),
    Fault(
        "an unequal age is alike", relation, "meaning", _meaning_without(max_age_seconds=None), "older sign-in accepted"
    ),
    Fault("an optional token is alike", relation, "meaning", _meaning_without(optional=False), "token not needed"),
    Fault("the formula forgets scopes", TokenFormula, _CLAIMS, _forgetting(scopes=None), "scopes dropped"),
    Fault("the formula forgets acr", TokenFormula, _CLAIMS, _forgetting(acr=frozenset()), "acr dropped"),
    Fault("the formula forgets userinfo", TokenFormula, _CLAIMS, _forgetting(userinfo=None), "userinfo not asked"),
    Fault(
        "the formula forgets conditions", TokenFormula, _CLAIMS, _forgetting(conditions=NO_CONDITIONS), "claim dropped"
    ),
    Fault(
        "the formula forgets grants",
        TokenFormula,
        "_holds_scope",
        lambda right: lambda self, scope, issuer: right(self, scope, replace(issuer, grants=())),
        "grant added",
    ),
    Fault(
        "the formula takes any value for all",
        TokenFormula,
        "_membership",
        _membership(lambda one: Membership(one.all_of | one.any_of, none_of=one.none_of)),
        "any of groups instead of all",
    ),
    Fault(
        "the formula forgets forbidden values",
        TokenFormula,
        "_membership",
        _membership(lambda one: replace(one, none_of=frozenset())),
        "forbidden groups allowed",
    ),
    Fault(
        "no time between two limits", token_dimensions, "_between", lambda _right: lambda _limits: [], "leeway longer"
    ),
    Fault("only values that both sides accept", token_dimensions, "_distinct", _that_all_pass, "audience added"),
    Fault(
        "no token is bound",
        token_dimensions,
        "_confirmations",
        lambda right: lambda *given: right(*given)[:1],
        "proof of possession ignored",
    ),
    Fault("requests without a route in OLD are dropped", refinement, "_pairs", _without_new_requests, "domain added"),
    Fault(
        "earlier routes take nothing",
        region,
        "difference",
        lambda _right: lambda one, _other: iter([one]),
        "broad route first",
    ),
    Fault(
        "wildcards have no hosts",
        host_names,
        "_suffixes",
        lambda _right: lambda _suffixes: ((), []),
        "domain with any beginning added",
    ),
    Fault(
        "a prefix is a path",
        route_conditions,
        "starting_with",
        lambda _right: exactly,
        "prefix shortened",
    ),
    Fault(
        "an expression has every path",
        route_conditions,
        "_regex",
        lambda _right: lambda _fields: Language("regex", "/.*"),
        "expression widened",
    ),
    Fault("case always counts", region, "route_condition", _with_case, "case ignored"),
    Fault(
        "header matchers accept everything",
        route_conditions,
        "_header",
        lambda _right: lambda name, _fields: (name, everything(name)),
        "method removed from a matcher",
    ),
    Fault(
        "query matchers accept every value",
        route_conditions,
        "_query",
        lambda _right: lambda name, _fields: (f"?{name}", Values()),
        "any value of a query parameter",
    ),
    Fault(
        "inline policies refuse",
        LoadedFile,
        "policy_of",
        _inline_refuses,
        form="policies renamed and written in the routes",
    ),
    Fault(
        "a split grant is another one",
        relation,
        "undecided_issuer",
        lambda _right: lambda old, new: "" if old.grants == new.grants else "`grants` differs",
        form="grants split and reordered",
    ),
    Fault(
        "hosts are compared by name",
        host_names,
        "_domains",
        lambda right: lambda host: [f"{host.fields.text('name')}.{each}" for each in right(host)],
        form="host split in two",
    ),
)
