"""The steps of a check, in the order of `authz.core.check.decide`, each with its verdict and its texts.

A step reads the record of the check. Only the checks of a verified identity are made again: they are pure, and they
show what else would fail after the first refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authz.core import policy
from authz.core.reasons import Denied, Reason
from authz.tools.explain import in_words
from authz.tools.explain.recorded_check import RecordedCheck
from authz.tools.explain.wording import conditions, listed, quoted

Text = Callable[[RecordedCheck], str]


@dataclass(frozen=True, slots=True)
class LookupStep:
    """A step on the way to a verified identity."""

    name: str
    is_last: Callable[[RecordedCheck], bool]
    """Whether the check ended at this step. Only called if it reached it."""
    value: Text
    """The value that the step looked at."""
    rule: Text
    """The rule that the value has to meet."""


@dataclass(frozen=True, slots=True)
class IdentityStep:
    """A check of a verified identity."""

    name: str
    judge: Callable[[RecordedCheck], Denied | None]
    """Returns the refusal, None if the identity passes."""
    value: Text
    rule: Text
    uses_userinfo: bool = False

    def is_unknown(self, seen: RecordedCheck) -> bool:
        """Whether the verdict depends on userinfo that the check did not ask for."""
        return self.uses_userinfo and seen.lacks_userinfo


def _fixed(text: str) -> Text:
    return lambda _seen: text


def _denied_for(seen: RecordedCheck, reason: Reason) -> bool:
    """Whether the check ended before the key, for this reason."""
    denied = seen.record.denied
    return seen.record.key is None and denied is not None and denied.reason is reason


LOOKUP_STEPS = (
    LookupStep(
        "request",
        lambda seen: seen.record.request is None,
        lambda seen: f"{seen.request.method} {quoted(seen.request.path)}",
        _fixed("about HTTP"),
    ),
    LookupStep(
        "policy",
        lambda seen: seen.record.policy is None or seen.policy.access is policy.Access.CLOSED,
        in_words.policy_in_words,
        in_words.policy_rule,
    ),
    LookupStep(
        "credentials",
        lambda seen: seen.record.credential is None,
        in_words.credentials_in_words,
        in_words.credentials_rule,
    ),
    LookupStep(
        "structure",
        lambda seen: seen.record.unverified is None,
        in_words.structure_in_words,
        _fixed("a signed JWT, strictly"),
    ),
    LookupStep(
        "issuer",
        lambda seen: seen.record.issuer is None,
        lambda seen: f"iss {quoted(seen.unverified.unverified_issuer)}",
        in_words.issuer_rule,
    ),
    LookupStep(
        "issuer accepted",
        lambda seen: _denied_for(seen, Reason.ISSUER_NOT_ACCEPTED),
        lambda seen: seen.issuer.alias,
        in_words.accepted_rule,
    ),
    LookupStep(
        "algorithm",
        lambda seen: _denied_for(seen, Reason.ALGORITHM_NOT_ALLOWED),
        lambda seen: f"alg {quoted(seen.unverified.header.algorithm)}",
        lambda seen: f"algorithms: {listed(seen.issuer.algorithms)}",
    ),
    LookupStep(
        "key",
        lambda seen: seen.record.key is None,
        lambda seen: in_words.kid_in_words(seen.unverified.header.key_id),
        in_words.key_rule,
    ),
    LookupStep(
        "signature",
        lambda seen: seen.record.claims is None,
        _fixed("not shown"),
        lambda seen: f"made by key {quoted(seen.record.key.key_id if seen.record.key else '')}",
    ),
    LookupStep(
        "identity",
        lambda seen: seen.record.identity is None,
        in_words.identity_in_words,
        lambda seen: f"claims of profile {seen.issuer.profile.name}",
    ),
)
"""The steps that lead to a verified identity."""


def _judge(check: policy.PolicyCheck) -> Callable[[RecordedCheck], Denied | None]:
    def judge(seen: RecordedCheck) -> Denied | None:
        try:
            check(seen.identity, seen.policy, seen.now)
        except Denied as denied:
            return denied
        return None

    return judge


def _judge_revocations(seen: RecordedCheck) -> Denied | None:
    revocations = seen.rules.revocations.current
    try:
        if revocations is not None:
            revocations.require_good(seen.identity)
    except Denied as denied:
        return denied
    return None


def _judge_userinfo(seen: RecordedCheck) -> Denied | None:
    """The refusal as recorded: a request to the issuer is not repeated."""
    return seen.record.denied if seen.lacks_userinfo else None


_TEXTS: dict[policy.PolicyCheck, tuple[str, Text, Text]] = {
    policy.check_time: ("time", in_words.time_in_words, in_words.time_rule),
    policy.check_token_use: (
        "token use",
        lambda seen: quoted(seen.identity.use) if seen.identity.use else "not said",
        in_words.use_rule,
    ),
    policy.check_audience: ("audience", in_words.audience_in_words, in_words.audience_rule),
    policy.check_max_age: ("max_age", in_words.age_in_words, in_words.age_rule),
    policy.check_acr: ("acr", in_words.acr_in_words, in_words.acr_rule),
    policy.check_claims: (
        "claims, groups",
        in_words.conditions_in_words,
        lambda seen: conditions(seen.policy.conditions),
    ),
    policy.check_scopes: ("scopes", in_words.scopes_in_words, in_words.scopes_rule),
}


def _steps(checks: tuple[policy.PolicyCheck, ...]) -> tuple[IdentityStep, ...]:
    """Steps in the core's own order. `check_issuer` is left out: "issuer accepted" has shown it."""
    return tuple(
        IdentityStep(name, _judge(check), value, rule, uses_userinfo=check is policy.check_claims)
        for check in checks
        if check is not policy.check_issuer
        for name, value, rule in (_TEXTS[check],)
    )


IDENTITY_STEPS = (
    *_steps(policy.TOKEN_CHECKS),
    IdentityStep("revocation", _judge_revocations, in_words.revocable_in_words, in_words.revocations_rule),
    IdentityStep("userinfo", _judge_userinfo, in_words.userinfo_in_words, in_words.userinfo_rule, uses_userinfo=True),
    *_steps(policy.CLAIM_CHECKS),
)
"""The checks of a verified identity against the policy, the revocation list and its userinfo."""
