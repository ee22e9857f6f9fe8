"""The lookup of userinfo claims: each state of the source, and the outcome of the check."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from authz.core.check import decide
from authz.core.reasons import Reason
from authz.core.userinfo_lookup import REFUSED, UserinfoAnswer, UserinfoPending
from tests.fakes.checks import NOW, Rig, access_token, check_request

AUTHZ_POLICIES = {"required": {"userinfo": True, "groups": ["admins"]}, "optional": {"userinfo": {"required": False}}}


@dataclass
class FixedAnswers:
    """A userinfo source with one answer and one running request."""

    answer: UserinfoAnswer | None = None
    request: Future[None] | None = None
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """The method, the token and the subject of each call."""

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        self.calls.append(("find", token, subject))
        return self.answer

    def ask(self, token: str, subject: str) -> Future[None] | None:
        self.calls.append(("ask", token, subject))
        return self.request


def _rig(source: FixedAnswers) -> Rig:
    cognito: dict[str, Any] = {
        "profile": "cognito",
        "user_pool_id": "ap-northeast-1_AbCdEfGhI",
        "client_ids": ["5onexampleclientid"],
        "userinfo_uri": "https://idp.example.com/userinfo",
    }
    rig_authz = {"issuers": {"cognito": cognito}, "policies": AUTHZ_POLICIES}
    return Rig(rig_authz, userinfo={"cognito": source})


CLAIMS = UserinfoAnswer("ok", {"sub": "0a1b2c3d-user", "cognito:groups": ["admins"]})


@pytest.mark.parametrize(
    ("source", "policy", "expected"),
    [
        (FixedAnswers(CLAIMS), "required", Reason.OK),
        (FixedAnswers(UserinfoAnswer(REFUSED)), "required", Reason.TOKEN_REVOKED),
        (FixedAnswers(UserinfoAnswer(REFUSED)), "optional", Reason.TOKEN_REVOKED),
        (FixedAnswers(UserinfoAnswer("timeout", detail="slow")), "required", Reason.USERINFO_UNAVAILABLE),
        (FixedAnswers(UserinfoAnswer("timeout")), "optional", Reason.OK),
        (FixedAnswers(), "required", Reason.USERINFO_UNAVAILABLE),
        (FixedAnswers(), "optional", Reason.OK),
        (FixedAnswers(request=Future()), "required", Reason.USERINFO_UNAVAILABLE),
    ],
)
def test_each_answer_has_its_reason_if_the_call_cannot_wait(
    source: FixedAnswers, policy: str, expected: Reason
) -> None:
    assert _rig(source).reason(access_token(), policy) is expected


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (UserinfoAnswer(REFUSED, detail="userinfo: HTTP 401"), "userinfo: HTTP 401"),
        (UserinfoAnswer("timeout", detail="userinfo: timed out"), "userinfo: timed out"),
        (None, "userinfo: no answer in time"),
    ],
)
def test_a_refusal_has_the_detail_of_the_answer_or_says_that_there_is_none(
    answer: UserinfoAnswer | None, detail: str
) -> None:
    assert _rig(FixedAnswers(answer)).decide(access_token(), "required").detail == detail


def test_an_answer_is_found_and_asked_for_by_the_token_and_its_subject() -> None:
    source, token = FixedAnswers(), access_token()

    _rig(source).decide(token, "required")

    assert source.calls == [("find", token, "0a1b2c3d-user"), ("ask", token, "0a1b2c3d-user")]


def test_a_call_that_can_wait_gets_the_running_request() -> None:
    running: Future[None] = Future()
    rig = _rig(FixedAnswers(request=running))

    with pytest.raises(UserinfoPending) as pending:
        decide(rig.rules, check_request(access_token(), "required"), NOW, may_wait=True, may_ask=True)

    assert pending.value.fetch is running


def test_the_completed_identity_of_an_answer_is_used_again() -> None:
    rig = _rig(FixedAnswers(UserinfoAnswer("ok", CLAIMS.claims)))
    token = access_token()

    first, second = (rig.decide(token, "required").identity for _ in range(2))

    assert first is not None
    assert first is second
