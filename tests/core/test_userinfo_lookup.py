"""The lookup of userinfo claims: each state of the source, and the outcome of the check."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
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

    def find(self, _token: str, _subject: str) -> UserinfoAnswer | None:
        return self.answer

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
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
