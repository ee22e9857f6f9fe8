"""Candidates as operators write them: which policies can be one, and the problem of each other policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from authz.core.candidate import compare
from authz.core.configuration import compile_configuration
from authz.core.decision import Agreement, Comparison
from authz.core.problems import ConfigurationError
from authz.core.read_policy import References, read_inline
from authz.core.reasons import Reason
from authz.core.revocations import UNREAD, Revocations
from tests.fakes.checks import AUTHZ, NOW, Rig, access_token, partner_token

ISSUERS = {"idp": {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": ["orders"]}}


def _policies(**policies: Mapping[str, Any]) -> dict[str, Any]:
    return {"issuers": ISSUERS, "policies": policies}


def test_candidate_is_the_policy_of_that_name_wherever_it_is_written() -> None:
    written = _policies(now={"candidate": "next", "scopes": "read"}, next={"scopes": "write"})

    policies = compile_configuration(written).policies

    assert policies["now"].candidate is policies["next"]
    assert policies["next"].candidate is None


def test_candidate_can_be_the_built_in_policy_that_judges_tokens() -> None:
    policies = compile_configuration(_policies(now={"candidate": "authenticated"})).policies

    assert policies["now"].candidate is policies["authenticated"]


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param({"now": {"candidate": "nxet"}, "next": {}}, id="unknown"),
        pytest.param({"now": {"candidate": "now"}}, id="itself"),
        pytest.param({"now": {"candidate": "next"}, "next": {"candidate": "authenticated"}}, id="chain"),
        pytest.param({"now": {"candidate": "next"}, "next": {"candidate": "now"}}, id="circle"),
        pytest.param({"now": {"candidate": "deny"}}, id="deny"),
        pytest.param({"now": {"candidate": "public"}}, id="public"),
        pytest.param({"now": {"candidate": {"scopes": "read"}}}, id="mapping"),
        pytest.param({"now": {"candidate": ""}}, id="empty"),
    ],
)
def test_policy_that_cannot_be_a_candidate_is_a_mistake_at_its_place(policies: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        compile_configuration(_policies(**policies))

    assert ("policies", "now", "candidate") in [mistake.path for mistake in mistakes.value.problems]


def test_cure_names_the_policies_that_can_be_a_candidate() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        compile_configuration(_policies(now={"candidate": "nxet"}, next={}))

    (mistake,) = mistakes.value.problems
    assert mistake.fix == "Name a policy that has no candidate: authenticated, next."


def test_policy_written_in_place_names_a_configured_candidate() -> None:
    policies = compile_configuration(_policies(now={"candidate": "next"}, next={})).policies
    known = References(frozenset({"idp"}), policies)

    assert read_inline({"candidate": "next"}, known).candidate is policies["next"]
    with pytest.raises(ConfigurationError, match="'now' cannot be the candidate"):
        read_inline({"candidate": "now"}, known)


@pytest.mark.parametrize(
    ("answer", "verdict", "agreement"),
    [
        (Reason.OK, Reason.OK, Agreement.SAME),
        (Reason.OK, Reason.SCOPE_INSUFFICIENT, Agreement.STRICTER),
        (Reason.ANONYMOUS, Reason.TOKEN_MISSING, Agreement.STRICTER),
        (Reason.TOKEN_MISSING, Reason.ANONYMOUS, Agreement.LOOSER),
        (Reason.CLAIM_MISMATCH, Reason.OK, Agreement.LOOSER),
        (Reason.CLAIM_MISMATCH, Reason.SCOPE_INSUFFICIENT, Agreement.SAME),
    ],
)
def test_agreement_is_about_being_forwarded_not_about_the_reason(
    answer: Reason, verdict: Reason, agreement: Agreement
) -> None:
    assert Agreement.of(answer, verdict) is agreement


def _compared(
    token: str | None, policy: Mapping[str, Any], candidate: Mapping[str, Any], revocations: Revocations | None = None
) -> Comparison | None:
    """What the candidate says of one check that the policy decided."""
    policies = {"now": {**policy, "candidate": "next"}, "next": candidate}
    decision = Rig({"issuers": AUTHZ["issuers"], "policies": policies}).decide(token, "now")
    return compare(decision, NOW, revocations)


@pytest.mark.parametrize(
    ("policy", "candidate", "expected"),
    [
        ({}, {}, Comparison(Agreement.SAME, Reason.OK)),
        (
            {},
            {"scopes": "x"},
            Comparison(Agreement.STRICTER, Reason.SCOPE_INSUFFICIENT, "granted: 'openid orders/read'"),
        ),
        ({"scopes": "x"}, {}, Comparison(Agreement.LOOSER, Reason.OK)),
        (
            {"scopes": "x"},
            {"groups": "x"},
            Comparison(Agreement.SAME, Reason.CLAIM_MISMATCH, "groups does not meet the policy"),
        ),
        (
            {},
            {"issuers": "partner"},
            Comparison(Agreement.STRICTER, Reason.ISSUER_NOT_ACCEPTED, "the policy accepts partner"),
        ),
    ],
)
def test_candidate_is_held_against_the_same_identity(
    policy: dict[str, Any], candidate: dict[str, Any], expected: Comparison
) -> None:
    assert _compared(access_token(), policy, candidate) == expected


@pytest.mark.parametrize(
    ("policy", "candidate", "expected"),
    [
        ({}, {}, Comparison(Agreement.SAME, Reason.TOKEN_MISSING)),
        ({"optional": True}, {}, Comparison(Agreement.STRICTER, Reason.TOKEN_MISSING)),
        ({}, {"optional": True}, Comparison(Agreement.LOOSER, Reason.ANONYMOUS)),
    ],
)
def test_candidate_says_what_it_would_do_without_a_token(
    policy: dict[str, Any], candidate: dict[str, Any], expected: Comparison
) -> None:
    assert _compared(None, policy, candidate) == expected


def test_candidate_is_not_asked_of_a_request_that_nobody_judged() -> None:
    assert _compared("not.a.token", {}, {}) is None
    assert _compared(partner_token(), {"issuers": "cognito"}, {}) is None
    assert compare(Rig().decide(access_token(), "staff"), NOW, None) is None
    assert compare(Rig().decide(access_token(), "no-such-policy"), NOW, None) is None


def test_candidate_hears_of_the_same_revocations_at_the_same_time() -> None:
    assert _compared(access_token(), {"scopes": "x"}, {}, UNREAD) == Comparison(
        Agreement.SAME, Reason.REVOCATIONS_UNAVAILABLE, "revocations_file has not been read yet"
    )
    revoked = replace(Rig().decide(access_token()), reason=Reason.TOKEN_REVOKED, detail="its jti is listed")
    assert revoked.policy is not None
    asked = replace(revoked, policy=replace(revoked.policy, candidate=revoked.policy))
    assert compare(asked, NOW, None) == Comparison(Agreement.SAME, Reason.TOKEN_REVOKED, "its jti is listed")
    expired = Rig({"issuers": AUTHZ["issuers"], "policies": {"now": {"candidate": "next"}, "next": {}}})
    decision = expired.decide(access_token(exp=NOW), "now")
    later = compare(decision, NOW + 60, None)
    assert later is not None
    assert later.reason is Reason.TOKEN_EXPIRED
