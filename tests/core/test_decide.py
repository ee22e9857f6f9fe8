"""What a decision and its record say about the check that made them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

import pytest

from authz.core.check import decide
from authz.core.check_record import CheckRecord
from authz.core.decision import Decision
from authz.core.key_lookup import FetchPending
from authz.core.reasons import USER_POOLS_API_TEXT, Reason
from authz.core.userinfo_lookup import UserinfoAnswer, UserinfoPending
from tests.fakes.checks import (
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    FixedKeys,
    Rig,
    access_claims,
    access_token,
    authz_with,
    check_request,
    key_sources,
    partner_token,
)
from tests.fakes.keys import rsa_key, sign


def recorded(rig: Rig, token: str | None, policy: str) -> tuple[Decision, CheckRecord]:
    record = CheckRecord()
    return decide(rig.rules, check_request(token, policy), NOW, may_wait=False, record=record), record


def test_an_allowed_check_names_everything_that_it_rests_on() -> None:
    rig, token = Rig(), access_token()

    first, again = rig.decide(token, "reading"), rig.decide(token, "reading")

    for decision, remembered in ((first, False), (again, True)):
        assert decision.request is not None
        assert (decision.request.method, decision.request.path) == ("GET", "/orders/7?full=1")
        assert decision.policy is rig.rules.policies.find("reading")
        assert decision.identity is not None
        assert (decision.reason, decision.issuer, decision.remembered) == (Reason.OK, "cognito", remembered)
        assert (decision.detail, decision.text, decision.unverified_key_id) == ("", "", "")


@pytest.mark.parametrize(("policy", "reason"), [("public", Reason.PUBLIC), ("optional", Reason.ANONYMOUS)])
def test_a_check_without_a_token_names_its_request_and_policy_and_no_issuer(policy: str, reason: Reason) -> None:
    rig = Rig()

    decision = rig.decide(None, policy)

    assert decision.request is not None
    assert decision.request.path == "/orders/7?full=1"
    assert decision.policy is rig.rules.policies.find(policy)
    assert (decision.reason, decision.identity, decision.issuer, decision.remembered) == (reason, None, "", None)


REFUSALS: Mapping[str, tuple[str | None, str, Reason, str, str, bool | None, str]] = {
    "no token": (None, "reading", Reason.TOKEN_MISSING, "", "", None, ""),
    "not a token": ("a.b.c", "reading", Reason.TOKEN_MALFORMED, "", "", False, "a segment is not canonical base64url"),
    "an unknown issuer": (
        sign(COGNITO_KEY, access_claims(iss="https://evil.example.com"), kid="theirs"),
        "reading",
        Reason.ISSUER_UNKNOWN,
        "",
        "theirs",
        False,
        "iss is 'https://evil.example.com'",
    ),
    "another issuer than the policy's": (
        partner_token(),
        "cognito-only",
        Reason.ISSUER_NOT_ACCEPTED,
        "partner",
        "partner-1",
        False,
        "the policy accepts cognito",
    ),
    "a forged signature": (
        sign(rsa_key(7), access_claims(), kid=COGNITO_KID),
        "reading",
        Reason.SIGNATURE_INVALID,
        "cognito",
        COGNITO_KID,
        False,
        "",
    ),
    "a missing scope": (
        access_token(scope="other"),
        "reading",
        Reason.SCOPE_INSUFFICIENT,
        "cognito",
        COGNITO_KID,
        False,
        "granted: 'other'",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_what_the_check_had_found_until_then(name: str) -> None:
    token, policy, reason, issuer, key_id, remembered, detail = REFUSALS[name]
    rig = Rig()

    decision = rig.decide(token, policy)

    assert decision.request is not None
    assert decision.request.path == "/orders/7?full=1"
    assert decision.policy is rig.rules.policies.find(policy)
    assert (decision.identity is not None) == (reason is Reason.SCOPE_INSUFFICIENT)
    found = (decision.reason, decision.issuer, decision.unverified_key_id, decision.remembered, decision.detail)
    assert found == (reason, issuer, key_id, remembered, detail)
    assert decision.text == reason.row.text


def test_a_refused_token_of_the_cache_keeps_its_issuer_and_the_text_for_its_client() -> None:
    rig, token = Rig(), access_token(scope="aws.cognito.signin.user.admin")
    rig.decide(token)

    decision = rig.decide(token, "reading")

    assert (decision.remembered, decision.issuer, decision.unverified_key_id) == (True, "cognito", "")
    assert (decision.reason, decision.text) == (Reason.SCOPE_INSUFFICIENT, USER_POOLS_API_TEXT)


def test_the_record_that_was_asked_for_holds_every_step_of_an_allowed_check() -> None:
    rig, token = Rig(), access_token()

    decision, record = recorded(rig, token, "reading")

    key_set = rig.sources["cognito"].current
    assert key_set is not None
    assert (record.request, record.policy, record.identity) == (decision.request, decision.policy, decision.identity)
    assert (record.credential, record.remembered, record.denied) == (token, False, None)
    assert record.unverified is not None
    assert record.claims == record.unverified.unverified_claims
    assert record.issuer is rig.configuration.issuers.by_alias["cognito"]
    assert (record.key, record.key_set) == (key_set.keys[COGNITO_KID], key_set)
    assert record.userinfo_is_complete is True


def test_the_record_of_a_refused_check_holds_the_refusal_and_no_later_step() -> None:
    decision, record = recorded(Rig(), "a.b.c", "reading")

    assert record.denied is not None
    assert (record.denied.reason, record.denied.detail) == (decision.reason, decision.detail)
    assert (record.remembered, record.unverified, record.identity, record.userinfo_is_complete) == (
        False,
        None,
        None,
        False,
    )


def test_a_check_that_may_not_wait_for_a_key_is_refused_and_one_that_may_says_what_it_waits_for() -> None:
    pending: Future[None] = Future()
    sources = key_sources() | {"cognito": FixedKeys(key_sources()["cognito"].current, pending)}
    rig, request = Rig(sources=sources), check_request(sign(rsa_key(3), access_claims(), kid="rotated"))

    assert decide(rig.rules, request, NOW, may_wait=False).reason is Reason.KEY_UNKNOWN
    with pytest.raises(FetchPending) as raised:
        decide(rig.rules, request, NOW, may_wait=True)
    assert raised.value.fetch is pending


class Answers:
    """A userinfo source with one answer or none. Keeps what it was asked. Implements UserinfoLookup's AnswerSource."""

    def __init__(self, answer: UserinfoAnswer | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        self.asked.append((token, subject))
        return self.answer

    def ask(self, token: str, subject: str) -> Future[None] | None:
        self.asked.append((token, subject))
        return Future()


ASKING = authz_with(cognito={"userinfo_uri": "https://idp.example.com/userinfo"}) | {
    "policies": {"informed": {"userinfo": True, "issuers": ["cognito"]}}
}


def test_a_check_with_userinfo_asks_about_its_own_token_and_records_the_completed_identity() -> None:
    answers = Answers(UserinfoAnswer("ok", {"sub": "0a1b2c3d-user", "email": "jo@example.com"}))
    token = access_token()

    decision, record = recorded(Rig(ASKING, userinfo={"cognito": answers}), token, "informed")

    assert answers.asked == [(token, "0a1b2c3d-user")]
    assert record.identity is not None
    assert record.identity is decision.identity
    assert record.identity.userinfo["email"] == "jo@example.com"
    assert record.userinfo_is_complete is True


def test_a_check_without_an_answer_waits_for_userinfo_only_if_it_may_ask() -> None:
    rig = Rig(ASKING, userinfo={"cognito": Answers(None)})
    request = check_request(access_token(), "informed")

    assert decide(rig.rules, request, NOW, may_wait=True).reason is Reason.USERINFO_UNAVAILABLE
    with pytest.raises(UserinfoPending):
        decide(rig.rules, request, NOW, may_wait=False, may_ask=True)


def test_a_refusal_before_userinfo_is_there_records_the_verified_identity_and_an_incomplete_step() -> None:
    decision, record = recorded(Rig(ASKING, userinfo={"cognito": Answers(None)}), access_token(), "informed")

    assert decision.reason is Reason.USERINFO_UNAVAILABLE
    assert record.identity is not None
    assert record.userinfo_is_complete is False
