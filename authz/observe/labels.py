"""Enumerate the label combinations of `authz_checks_total` that can occur with a configuration.

All of them are exported from the start with value zero, so that rates and alerts see the first increase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from authz.core.configuration import Configuration
from authz.core.decision import Agreement
from authz.core.issuers import Issuer
from authz.core.policy import Access, Policy
from authz.core.reasons import Reason
from authz.core.userinfo import UserinfoMode

Labels = tuple[str, str, str]
"""Reason, policy name, issuer alias. The last two are empty if they are not known."""

_BEFORE_POLICY = (
    Reason.REQUEST_MALFORMED,
    Reason.POLICY_MISSING,
    Reason.POLICY_INVALID,
    Reason.OVERLOADED,
    Reason.INTERNAL_ERROR,
)
_BEFORE_ISSUER = (Reason.REQUEST_MALFORMED, Reason.TOKEN_MALFORMED, Reason.ISSUER_UNKNOWN)
_OF_EVERY_TOKEN = (
    Reason.OK,
    Reason.TOKEN_MALFORMED,
    Reason.ALGORITHM_NOT_ALLOWED,
    Reason.KEYS_UNAVAILABLE,
    Reason.KEY_UNKNOWN,
    Reason.SIGNATURE_INVALID,
    Reason.TOKEN_BOUND,
    Reason.TOKEN_EXPIRED,
    Reason.TOKEN_NOT_YET_VALID,
    Reason.TOKEN_USE_MISMATCH,
    Reason.AUDIENCE_MISMATCH,
)
_OF_A_LIST = (Reason.TOKEN_REVOKED, Reason.REVOCATIONS_UNAVAILABLE)


def possible_checks(configuration: Configuration, inline: Iterable[Policy] = ()) -> list[Labels]:
    """Return every combination of reason, policy and issuer with which a check can end.

    `inline` contains the known inline policies. All other inline policies appear when they are first used.
    """
    labels = [(reason.row.label, "", "") for reason in _BEFORE_POLICY]
    for policy in (*configuration.policies.values(), *inline):
        labels += [(reason.row.label, policy.name, "") for reason in _without_issuer(policy)]
        if policy.access is Access.TOKEN:
            for issuer in configuration.issuers.by_alias.values():
                labels += [(reason.row.label, policy.name, issuer.alias) for reason in _with_issuer(policy, issuer)]
                if configuration.revocations_file and policy.accepts_issuer(issuer):
                    labels += [(reason.row.label, policy.name, issuer.alias) for reason in _OF_A_LIST]
    return labels


def possible_comparisons(configuration: Configuration, inline: Iterable[Policy] = ()) -> list[tuple[str, str]]:
    """Return every combination of policy and agreement of `authz_candidate_checks_total`."""
    return [
        (policy.name, agreement.value)
        for policy in (*configuration.policies.values(), *inline)
        if policy.candidate is not None
        for agreement in Agreement
    ]


def possible_api_refusals(configuration: Configuration, inline: Iterable[Policy] = ()) -> list[tuple[str, str]]:
    """Return policies and issuers with which a token of Cognito's user pools API can be refused for a scope."""
    return [
        (policy, alias)
        for reason, policy, alias in possible_checks(configuration, inline)
        if reason == Reason.SCOPE_INSUFFICIENT.row.label and configuration.issuers.by_alias[alias].profile.use_claim
    ]


def _without_issuer(policy: Policy) -> Iterator[Reason]:
    if policy.access is Access.CLOSED:
        yield Reason.DENIED
    elif policy.access is Access.OPEN:
        yield Reason.PUBLIC
    else:
        yield Reason.ANONYMOUS if policy.optional else Reason.TOKEN_MISSING
        yield from _BEFORE_ISSUER


def _with_issuer(policy: Policy, issuer: Issuer) -> Iterator[Reason]:
    if not policy.accepts_issuer(issuer):
        yield Reason.ISSUER_NOT_ACCEPTED
        return
    yield from _OF_EVERY_TOKEN
    if policy.userinfo is not None:
        yield Reason.TOKEN_REVOKED
    if policy.userinfo is UserinfoMode.REQUIRED:
        yield Reason.USERINFO_UNAVAILABLE
    if policy.max_age_seconds is not None:
        yield Reason.TOKEN_TOO_OLD
    if policy.acr:
        yield Reason.ACR_INSUFFICIENT
    if policy.conditions.groups is not None or policy.conditions.claims:
        yield Reason.CLAIM_MISMATCH
    if policy.scopes is not None:
        yield Reason.SCOPE_INSUFFICIENT
