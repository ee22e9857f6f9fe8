"""The steps of a check in their order, each taken by the core's own function, with what it looks at in words.

The order is that of `authz.server.check_service.decide`; `explanation.py` compares the two outcomes every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authz.core import bearer, policy, token
from authz.core.identity import identify
from authz.core.verifier import require_algorithm, verify
from authz.server import wire
from authz.tools.explain import in_words
from authz.tools.explain.evidence import Evidence
from authz.tools.explain.wording import conditions, listed, quoted


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
    if evidence.policy.access is policy.Access.CLOSED:
        evidence.policy.decide_without_token()


def _credentials(evidence: Evidence) -> None:
    credential = bearer.find(evidence.request.authorization) if evidence.policy.reads_token else None
    if credential is None:
        evidence.policy.decide_without_token()
        raise Enough
    evidence.credential = credential


def _structure(evidence: Evidence) -> None:
    evidence.unverified = token.parse(bearer.require_b64token(evidence.credential))


def _issuer(evidence: Evidence) -> None:
    evidence.issuer = evidence.rules.configuration.issuers.find(evidence.unverified.unverified_issuer)


def _accepted(evidence: Evidence) -> None:
    evidence.policy.require_issuer(evidence.issuer)


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


def _demanded(what: policy.PolicyCheck) -> Callable[[Evidence], None]:
    return lambda evidence: what(evidence.identity, evidence.policy, evidence.now)


def _said(text: str) -> Callable[[Evidence], str]:
    return lambda _evidence: text


UNVERIFIED = (
    Step("request", _request, lambda e: f"{e.request.method} {quoted(e.request.path)}", _said("about HTTP")),
    Step("policy", _policy, in_words.policy_in_words, in_words.policy_rule),
    Step("credentials", _credentials, in_words.credentials_in_words, in_words.credentials_rule),
    Step("structure", _structure, in_words.structure_in_words, _said("a signed JWT, strictly")),
    Step("issuer", _issuer, lambda e: f"iss {quoted(e.unverified.unverified_issuer)}", in_words.issuer_rule),
    Step("issuer accepted", _accepted, lambda e: e.issuer.alias, in_words.accepted_rule),
    Step(
        "algorithm",
        _algorithm,
        lambda e: f"alg {quoted(e.unverified.header.algorithm)}",
        lambda e: f"algorithms: {listed(e.issuer.algorithms)}",
    ),
    Step("key", _key, lambda e: f"kid {quoted(e.unverified.header.key_id)}", in_words.key_rule),
    Step("signature", _signature, _said("not shown"), lambda e: f"made by key {quoted(e.unverified.header.key_id)}"),
    Step("identity", _identity, in_words.identity_in_words, lambda e: f"claims of profile {e.issuer.profile.name}"),
)
"""The steps that lead to a verified identity."""

_DEMANDS: dict[policy.PolicyCheck, tuple[str, Any, Any]] = {
    policy.check_time: ("time", in_words.time_in_words, in_words.time_rule),
    policy.check_token_use: (
        "token use",
        lambda e: quoted(e.identity.use) if e.identity.use else "not said",
        in_words.use_rule,
    ),
    policy.check_audience: ("audience", in_words.audience_in_words, in_words.audience_rule),
    policy.check_max_age: ("max_age", in_words.age_in_words, in_words.age_rule),
    policy.check_claims: (
        "claims, groups",
        in_words.conditions_in_words,
        lambda e: conditions(e.policy.conditions),
    ),
    policy.check_scopes: ("scopes", in_words.scopes_in_words, in_words.scopes_rule),
}


def _unrevoked(evidence: Evidence) -> None:
    revocations = evidence.rules.revocations.current
    if revocations is not None:
        revocations.require_good(evidence.identity)


def _told(evidence: Evidence) -> None:
    asking = evidence.policy.userinfo
    if asking is not None:
        complete = evidence.rules.userinfo.complete
        evidence.identity = complete(evidence.identity, evidence.credential, asking, may_wait=False)


def _steps(demands: tuple[policy.PolicyCheck, ...]) -> tuple[Step, ...]:
    """In the core's own order; whether the issuer is accepted was asked before its key was looked for."""
    described = [(each, *_DEMANDS[each]) for each in demands if each is not policy.check_issuer]
    return tuple(Step(name, _demanded(each), value, rule) for each, name, value, rule in described)


DEMANDS = (
    *_steps(policy.TOKEN_CHECKS),
    Step("revocation", _unrevoked, in_words.revocable_in_words, in_words.revocations_rule),
    Step("userinfo", _told, in_words.told_in_words, in_words.userinfo_rule),
    *_steps(policy.CLAIM_CHECKS),
)
"""The steps that hold the identity against the policy, the revocation list and what its issuer says of it."""
