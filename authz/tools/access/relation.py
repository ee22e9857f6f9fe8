"""Compare the sets of tokens that two policies admit, by meaning: equal, narrower, wider or both."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, fields
from enum import Enum

from authz.core.configuration import Configuration
from authz.core.issuers import TENANT, Issuer
from authz.core.policy import Access, Policy
from authz.core.reasons import Denied
from authz.tools.access.compared_fields import (
    ISSUER_FIELDS,
    POLICY_FIELDS,
    Compared,
    undecided_configuration,
    undecided_issuer,
    undecided_policy,
)
from authz.tools.access.decision_diagram import DiagramTooLarge
from authz.tools.access.sample_token import SampleToken, admits
from authz.tools.access.token_dimensions import JudgedSide
from authz.tools.access.token_formula import TokenFormula

MAX_CANDIDATE_TOKENS = 20
"""Models that are turned into tokens and judged before a comparison is undecided. The first one is right, unless two
conditions read one claim in different ways."""

ANY_TENANT = "any-tenant"


class Change(Enum):
    """How the admitted set changes."""

    EQUAL = "equal"
    NARROWER = "narrower"
    WIDER = "wider"
    BOTH = "both"
    """Some are admitted that were not, and some are not that were."""

    @property
    def is_wider(self) -> bool:
        """Whether somebody is let in who was not."""
        return self in {Change.WIDER, Change.BOTH}


@dataclass(frozen=True, slots=True)
class Example:
    """Credentials that one policy admits and the other refuses."""

    kind: str
    """`none`, `unreadable` (a text that is no token of a configured issuer) or `token`."""
    token: SampleToken | None = None


NO_TOKEN = Example("none")
UNREADABLE = Example("unreadable")


@dataclass(frozen=True, slots=True)
class Relation:
    """The result of a comparison."""

    wider: Example | None
    """Credentials that NEW admits and OLD refuses. None if there are none."""
    narrower: Example | None
    """Credentials that OLD admits and NEW refuses."""
    undecided: str = ""
    """Why the comparison cannot be decided. It then counts as wider."""

    @property
    def change(self) -> Change:
        """One word for the result."""
        is_wider = self.wider is not None or bool(self.undecided)
        if self.narrower is None:
            return Change.WIDER if is_wider else Change.EQUAL
        return Change.BOTH if is_wider else Change.NARROWER


class Undecided(Exception):
    """The comparison cannot be decided. The message says why."""


class PolicyComparison:
    """Two configurations, and the relations that were computed between their policies."""

    def __init__(self, old: Configuration, new: Configuration) -> None:
        self._old = old
        self._new = new
        self._known: dict[tuple[Hashable, Hashable], Relation] = {}
        self._whole = undecided_configuration(old, new)

    def relation(self, old: Policy, new: Policy) -> Relation:
        """Compare a policy of OLD with one of NEW."""
        key = (meaning(self._old, old), meaning(self._new, new))
        if key not in self._known:
            try:
                self._known[key] = self._compare(old, new, are_alike=key[0] == key[1])
            except Undecided as why:
                self._known[key] = Relation(None, None, str(why))
        return self._known[key]

    def _compare(self, old: Policy, new: Policy, *, are_alike: bool) -> Relation:
        if new.access is Access.CLOSED:
            return Relation(None, first_admitted(self._old, old))
        if Access.OPEN in {old.access, new.access}:
            return _compare_with_open(old, new)
        if self._whole:
            return Relation(None, None, f"{self._whole} between the files")
        if are_alike:
            return Relation(None, None)
        if old.access is Access.CLOSED:
            return Relation(first_admitted(self._new, new), None)
        return self._compare_tokens(old, new)

    def _compare_tokens(self, old: Policy, new: Policy) -> Relation:
        undecided = [why] if (why := undecided_policy(old, new)) else []
        wider: list[Example] = [NO_TOKEN] if new.optional and not old.optional else []
        narrower: list[Example] = [NO_TOKEN] if old.optional and not new.optional else []
        for iss in identifiers((self._old, old), (self._new, new)):
            sides = (_side(self._old, old, iss), _side(self._new, new, iss))
            try:
                if sides[0] and sides[1] and (why := undecided_issuer(sides[0].issuer, sides[1].issuer)):
                    raise Undecided(f"{why} of the issuer {sides[1].issuer.alias}")  # noqa: TRY301
                narrower += [] if narrower else self._only(iss, sides, 0, (old, new))
                wider += [] if wider else self._only(iss, sides, 1, (old, new))
            except Undecided as why_not:
                undecided.append(str(why_not))
        return Relation(next(iter(wider), None), next(iter(narrower), None), "; ".join(dict.fromkeys(undecided)))

    def _only(
        self, iss: str, sides: tuple[JudgedSide | None, JudgedSide | None], wanted: int, policies: tuple[Policy, Policy]
    ) -> list[Example]:
        """Return a token that one side admits and the other refuses, judged by the core on both sides."""
        configurations = (self._old, self._new)
        candidates = _models(iss, sides, wanted)
        is_empty = True
        for token in candidates:
            is_empty = False
            if admits(configurations[wanted], policies[wanted], token) and not admits(
                configurations[1 - wanted], policies[1 - wanted], token
            ):
                return [Example("token", token)]
        if is_empty:
            return []
        raise Undecided(f"two conditions read one claim of tokens from {iss} in different ways")


def first_admitted(configuration: Configuration, policy: Policy) -> Example | None:
    """The simplest credentials that the policy admits. None if nobody can meet it. Raises Undecided."""
    if policy.access is Access.CLOSED:
        return None
    if policy.access is Access.OPEN or policy.optional:
        return NO_TOKEN
    return first_token(configuration, policy)


def first_token(configuration: Configuration, policy: Policy) -> Example | None:
    """The simplest token that the policy admits. Raises Undecided if models exist and none is a real token."""
    found_any = False
    for iss in identifiers((configuration, policy)):
        for token in _models(iss, (None, _side(configuration, policy, iss)), 1):
            found_any = True
            if admits(configuration, policy, token):
                return Example("token", token)
    if found_any:
        raise Undecided("two conditions read one claim in different ways")
    return None


def identifiers(*sides: tuple[Configuration, Policy]) -> Iterator[str]:
    """Every `iss` that an accepted issuer has, and one tenant more if every tenant is accepted."""
    found: dict[str, None] = {}
    for configuration, policy in sides:
        for issuer in accepted(configuration, policy):
            found.update(dict.fromkeys(sorted(issuer.identifiers, key=lambda name: (len(name), name))))
            if issuer.accepts_any_tenant:
                tenants = sorted(_tenants_named(issuer, (each for _configuration, each in sides)))
                found.update({form.replace(TENANT, each): None for form in issuer.templates for each in tenants})
    return iter(found)


def accepted(configuration: Configuration, policy: Policy) -> list[Issuer]:
    """The issuers whose tokens the policy accepts."""
    return [issuer for issuer in configuration.issuers.by_alias.values() if policy.accepts_issuer(issuer)]


def meaning(configuration: Configuration, policy: Policy) -> Hashable:
    """Equal for two policies that admit the same tokens for an obvious reason: equal content and equal issuers."""
    issuers = [
        tuple(getattr(issuer, name) for name, how in ISSUER_FIELDS.items() if how is not Compared.WITHOUT_EFFECT)
        for issuer in accepted(configuration, policy)
    ]
    conditions = (policy.conditions.groups, frozenset(policy.conditions.claims))
    rest = (policy.access, policy.token_use, policy.scopes, policy.max_age_seconds, policy.acr, policy.optional)
    # A field that is not classified counts, so that a difference in it is never taken for equality.
    unknown = tuple(getattr(policy, field.name) for field in fields(policy) if field.name not in POLICY_FIELDS)
    return (*rest, conditions, policy.userinfo, frozenset(issuers), unknown)


def _models(iss: str, sides: tuple[JudgedSide | None, JudgedSide | None], wanted: int) -> Iterable[SampleToken]:
    this, other = sides[wanted], sides[1 - wanted]
    if this is None:
        return
    try:
        if other is None:
            yield from TokenFormula(iss, (this,)).models(0, None, MAX_CANDIDATE_TOKENS)
        else:
            yield from TokenFormula(iss, (this, other)).models(0, 1, MAX_CANDIDATE_TOKENS)
    except DiagramTooLarge as error:
        raise Undecided("the policies are too large to compare") from error


def _side(configuration: Configuration, policy: Policy, iss: str) -> JudgedSide | None:
    """The policy and the issuer that accepts this `iss`, None if the policy refuses its tokens."""
    try:
        return JudgedSide(policy.require_issuer(configuration.issuers.find(iss)), policy)
    except Denied:
        return None


def _compare_with_open(old: Policy, new: Policy) -> Relation:
    if old.access is new.access:
        return Relation(None, None)
    if old.access is Access.OPEN:
        return Relation(None, _beyond_anonymous(new))
    return Relation(_beyond_anonymous(old), None)


def _beyond_anonymous(policy: Policy) -> Example:
    """Credentials that a policy refuses although `public` forwards them."""
    return UNREADABLE if policy.optional and policy.access is Access.TOKEN else NO_TOKEN


def _tenants_named(issuer: Issuer, policies: Iterable[Policy]) -> set[str]:
    found = {ANY_TENANT}
    conditions = [policy.conditions for policy in policies] + [grant.when for grant in issuer.grants]
    for each in conditions:
        for name, membership in each.claims:
            if name.tokens == ("tid",):
                values = membership.all_of | membership.any_of | membership.none_of
                found |= {value for value in values if isinstance(value, str)}
    return found
