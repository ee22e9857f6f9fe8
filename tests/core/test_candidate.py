"""Candidates as operators write them: which policies can be one, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.decision import Agreement
from authz.core.mistakes import Mistakes
from authz.core.policy_section import Known, read_inline
from authz.core.reasons import Reason

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
    with pytest.raises(Mistakes) as mistakes:
        compile_configuration(_policies(**policies))

    assert ("policies", "now", "candidate") in [mistake.path for mistake in mistakes.value.found]


def test_cure_names_the_policies_that_can_be_a_candidate() -> None:
    with pytest.raises(Mistakes) as mistakes:
        compile_configuration(_policies(now={"candidate": "nxet"}, next={}))

    (mistake,) = mistakes.value.found
    assert mistake.cure == "Name another policy, one without a candidate of its own: authenticated, next."


def test_policy_written_in_place_names_a_configured_candidate() -> None:
    policies = compile_configuration(_policies(now={"candidate": "next"}, next={})).policies
    known = Known(frozenset({"idp"}), policies)

    assert read_inline({"candidate": "next"}, known).candidate is policies["next"]
    with pytest.raises(Mistakes, match="'now' cannot be the candidate"):
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
