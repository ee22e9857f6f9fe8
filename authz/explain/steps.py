"""The steps of a check in their order, each taken by the core's own function, with what it looks at in words.

The order is that of `authz.server.check.decide`; `explanation.py` compares the two outcomes every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authz.core import bearer, policy, token
from authz.core.claims import Claims
from authz.core.identity import Identity, identify
from authz.core.issuers import Issuer
from authz.core.keyset import Key, KeySet
from authz.core.policy import Gate, Policy
from authz.core.request import RequestView
from authz.core.revocations import KINDS
from authz.core.token import UnverifiedToken
from authz.core.verifier import require_algorithm, verify
from authz.explain.words import conditions, demand, listed, moment, quoted, span
from authz.server import wire
from authz.server.check import Rules
from authz.server.policies import require_open


@dataclass(slots=True)
class Evidence:
    """What the steps so far have brought to light. A field is filled by the step of its name."""

    rules: Rules
    message: bytes
    now: float
    request: RequestView
    policy: Policy
    credential: str
    unverified: UnverifiedToken
    issuer: Issuer
    key: Key
    key_set: KeySet
    claims: Claims
    identity: Identity

    def __init__(self, rules: Rules, message: bytes, now: float) -> None:
        self.rules, self.message, self.now = rules, message, now


class Enough(Exception):
    """The request is forwarded without looking any further: no token is needed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation."""

    name: str
    take: Callable[[Evidence], None]
    """Raises Denied where the step refuses, Enough where nothing more is asked."""
    value: Callable[[Evidence], str]
    """What was looked at, as far as it is known. Called after the step."""
    rule: Callable[[Evidence], str]
    """What it is held against."""


def _request(evidence: Evidence) -> None:
    evidence.request = wire.parse(evidence.message)


def _policy(evidence: Evidence) -> None:
    evidence.policy = evidence.rules.policies.find(evidence.request.policy)
    require_open(evidence.policy)


def _credentials(evidence: Evidence) -> None:
    credential = bearer.find(evidence.request.authorization) if evidence.policy.reads_token else None
    if credential is None:
        evidence.policy.without_token()
        raise Enough
    evidence.credential = credential


def _structure(evidence: Evidence) -> None:
    evidence.unverified = token.parse(bearer.require_b64token(evidence.credential))


def _issuer(evidence: Evidence) -> None:
    evidence.issuer = evidence.rules.configuration.issuers.find(evidence.unverified.unverified_issuer)


def _accepted(evidence: Evidence) -> None:
    evidence.policy.accept(evidence.issuer)


def _algorithm(evidence: Evidence) -> None:
    require_algorithm(evidence.unverified, evidence.issuer)


def _key(evidence: Evidence) -> None:
    key_id = evidence.unverified.header.key_id
    evidence.key, evidence.key_set = evidence.rules.keys.find(evidence.issuer, key_id, may_wait=False)


def _signature(evidence: Evidence) -> None:
    evidence.claims = verify(evidence.unverified, evidence.key)


def _identity(evidence: Evidence) -> None:
    forward = evidence.rules.configuration.forward
    evidence.identity = identify(evidence.unverified, evidence.claims, evidence.issuer, evidence.key_set, forward)


def _demanded(what: policy.Demand) -> Callable[[Evidence], None]:
    return lambda evidence: what(evidence.identity, evidence.policy, evidence.now)


def _policy_in_words(evidence: Evidence) -> str:
    text = evidence.request.policy
    return text if len(text) <= 60 and text.isprintable() and text else quoted(text)  # noqa: PLR2004 - one line


def _policy_rule(evidence: Evidence) -> str:
    names = ", ".join(evidence.rules.configuration.policies)
    return "not deny" if hasattr(evidence, "policy") else f"one of {names}, or a policy written in place"


def _credentials_in_words(evidence: Evidence) -> str:
    values = evidence.request.authorization
    if not values:
        return "no Authorization header"
    if len(values) > 1:
        return f"{len(values)} Authorization headers"
    scheme = values[0].partition(" ")[0] if isinstance(values[0], str) else "bytes that are not UTF-8"
    shown = scheme if scheme.isalpha() and len(scheme) <= 16 else "Authorization"  # noqa: PLR2004 - a scheme's name
    return f"{shown} …, {len(values[0])} characters"


def _credentials_rule(evidence: Evidence) -> str:
    if evidence.policy.gate is Gate.OPEN:
        return "public: no token is looked at"
    return "one Bearer token, or none at all" if evidence.policy.optional else "one Bearer token"


def _structure_in_words(evidence: Evidence) -> str:
    if not hasattr(evidence, "unverified"):
        return f"{evidence.credential.count('.') + 1} segments, {len(evidence.credential)} characters"
    header = evidence.unverified.header
    typ = f", typ {quoted(header.type)}" if header.type else ""
    return f"alg {quoted(header.algorithm)}, kid {quoted(header.key_id)}{typ}"


def _issuer_rule(evidence: Evidence) -> str:
    if hasattr(evidence, "issuer"):
        return f"that of {evidence.issuer.alias}"
    names = [name for issuer in evidence.rules.configuration.issuers.by_alias.values() for name in issuer.names]
    return f"exactly one of {listed(names)}"


def _accepted_rule(evidence: Evidence) -> str:
    accepted = evidence.policy.issuers
    return "every configured issuer" if accepted is None else f"the policy accepts {listed(accepted)}"


def _key_rule(evidence: Evidence) -> str:
    current = evidence.rules.keys.current(evidence.issuer.alias)
    if current is None:
        return f"no usable key set of {evidence.issuer.alias}"
    return f"keys of {evidence.issuer.alias}: {listed(current.keys)}"


def _identity_in_words(evidence: Evidence) -> str:
    claims = evidence.claims
    return f"sub {quoted(claims['sub'])}" if "sub" in claims else "no sub"


def _time_in_words(evidence: Evidence) -> str:
    claims = evidence.identity.claims
    past = evidence.now - claims["exp"]
    shown = [f"exp {moment(claims['exp'])} ({span(past)} {'ago' if past > 0 else 'left'})"]
    shown += [f"{name} {moment(claims[name])}" for name in ("nbf", "iat") if name in claims]
    return ", ".join(shown)


def _time_rule(evidence: Evidence) -> str:
    return f"now {moment(evidence.now)}, leeway {span(evidence.identity.issuer.leeway_seconds)}"


def _use_rule(evidence: Evidence) -> str:
    wanted = policy.wanted_use(evidence.policy, evidence.identity.issuer)
    return "access, id or a token that does not say" if wanted == "any" else wanted


def _audience_in_words(evidence: Evidence) -> str:
    claims = evidence.identity.claims
    shown = [f"{name} {quoted(claims[name])}" for name in ("aud", "client_id") if name in claims]
    return ", ".join(shown) or "neither aud nor client_id"


def _audience_rule(evidence: Evidence) -> str:
    issuer, parts = evidence.identity.issuer, []
    if issuer.profile.by_client:
        parts.append("client_ids: " + ("any" if issuer.client_ids is None else listed(issuer.client_ids)))
    if issuer.audiences or not issuer.profile.by_client:
        parts.append("audiences: " + ("any" if issuer.audiences is None else listed(issuer.audiences)))
    return "; ".join(parts)


def _age_in_words(evidence: Evidence) -> str:
    claims = evidence.identity.claims
    name = "auth_time" if "auth_time" in claims else "iat"
    if name not in claims:
        return "neither auth_time nor iat"
    age = evidence.now - claims[name]
    return f"{name} {moment(claims[name])} ({span(age)} {'ago' if age >= 0 else 'ahead'})"


def _age_rule(evidence: Evidence) -> str:
    limit = evidence.policy.max_age_seconds
    return "no max_age" if limit is None else f"max_age {span(limit)}"


def _conditions_in_words(evidence: Evidence) -> str:
    identity, wanted = evidence.identity, evidence.policy.conditions
    groups = "not a list of strings" if identity.groups is None else listed(identity.groups)
    shown = [f"groups {groups}"] if wanted.groups is not None or identity.groups else []
    for name, _membership in wanted.claims:
        present, value = name.find(identity.userinfo if name.is_from_userinfo else identity.claims)
        shown.append(f"{name.text} {quoted(value)}" if present else f"no {name.text}")
    return ", ".join(shown) or "no groups"


def _scopes_in_words(evidence: Evidence) -> str:
    carried = frozenset(str(evidence.identity.claims.get("scope", "")).split(" "))
    granted = evidence.identity.scopes - carried
    given = f" (by grants: {listed(granted)})" if granted else ""
    return listed(evidence.identity.scopes) + given


def _scopes_rule(evidence: Evidence) -> str:
    scopes = evidence.policy.scopes
    return "no scope demanded" if scopes is None else demand(scopes)


def _said(text: str) -> Callable[[Evidence], str]:
    return lambda _evidence: text


UNVERIFIED = (
    Step("request", _request, lambda e: f"{e.request.method} {quoted(e.request.path)}", _said("about HTTP")),
    Step("policy", _policy, _policy_in_words, _policy_rule),
    Step("credentials", _credentials, _credentials_in_words, _credentials_rule),
    Step("structure", _structure, _structure_in_words, _said("a signed JWT, strictly")),
    Step("issuer", _issuer, lambda e: f"iss {quoted(e.unverified.unverified_issuer)}", _issuer_rule),
    Step("issuer accepted", _accepted, lambda e: e.issuer.alias, _accepted_rule),
    Step(
        "algorithm",
        _algorithm,
        lambda e: f"alg {quoted(e.unverified.header.algorithm)}",
        lambda e: f"algorithms: {listed(e.issuer.algorithms)}",
    ),
    Step("key", _key, lambda e: f"kid {quoted(e.unverified.header.key_id)}", _key_rule),
    Step("signature", _signature, _said("not shown"), lambda e: f"made by key {quoted(e.unverified.header.key_id)}"),
    Step("identity", _identity, _identity_in_words, lambda e: f"claims of profile {e.issuer.profile.name}"),
)
"""The steps that lead to a verified identity."""

_DEMANDS: dict[policy.Demand, tuple[str, Any, Any]] = {
    policy.in_time: ("time", _time_in_words, _time_rule),
    policy.of_use: ("token use", lambda e: quoted(e.identity.use) if e.identity.use else "not said", _use_rule),
    policy.for_us: ("audience", _audience_in_words, _audience_rule),
    policy.recent: ("max_age", _age_in_words, _age_rule),
    policy.under_conditions: ("claims, groups", _conditions_in_words, lambda e: conditions(e.policy.conditions)),
    policy.within_scope: ("scopes", _scopes_in_words, _scopes_rule),
}


def _unrevoked(evidence: Evidence) -> None:
    revocations = evidence.rules.revocations.current
    if revocations is not None:
        revocations.require_good(evidence.identity)


def _revocable_in_words(evidence: Evidence) -> str:
    claims = evidence.identity.claims
    return ", ".join(f"{kind} {quoted(claims[kind])}" for kind in KINDS if kind in claims) or "nothing to list it by"


def _revocations_rule(evidence: Evidence) -> str:
    revocations = evidence.rules.revocations.current
    return "no revocation list" if revocations is None else f"not on the list of {len(revocations)}"


def _told(evidence: Evidence) -> None:
    asking = evidence.policy.userinfo
    if asking is not None:
        complete = evidence.rules.userinfo.complete
        evidence.identity = complete(evidence.identity, evidence.credential, asking, may_wait=False)


def _told_in_words(evidence: Evidence) -> str:
    return f"tells {listed(frozenset(evidence.identity.userinfo))}" if evidence.identity.userinfo else "no answer"


def _userinfo_rule(evidence: Evidence) -> str:
    asking = evidence.policy.userinfo
    return "not asked" if asking is None else f"an answer is {asking.value}"


def _steps(demands: tuple[policy.Demand, ...]) -> tuple[Step, ...]:
    """In the core's own order; whether the issuer is accepted was asked before its key was looked for."""
    described = [(each, *_DEMANDS[each]) for each in demands if each is not policy.of_issuer]
    return tuple(Step(name, _demanded(each), value, rule) for each, name, value, rule in described)


DEMANDS = (
    *_steps(policy.OF_THE_TOKEN),
    Step("revocation", _unrevoked, _revocable_in_words, _revocations_rule),
    Step("userinfo", _told, _told_in_words, _userinfo_rule),
    *_steps(policy.OF_THE_IDENTITY),
)
"""The steps that hold the identity against the policy, the revocation list and what its issuer says of it."""
