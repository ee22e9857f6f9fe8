"""Policies that ask the issuer, through the whole handler: the waiting calls, and the effect of each answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from authz.core.issuers import UserinfoLocation
from authz.core.reasons import Reason
from authz.observe.labels import possible_checks
from authz.server import check_service as check_module
from authz.server.check_response import RETRY_AFTER_SECONDS
from authz.server.pb import ext_authz_pb2 as pb
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.userinfo_source import UserinfoSource
from tests.fakes.checks import (
    AUTHZ,
    COGNITO_KID,
    NOW,
    FixedKeys,
    Rig,
    access_token,
    authz_with,
    check_request,
    key_set,
    key_sources,
    partner_token,
)
from tests.fakes.clock import FakeClock
from tests.fakes.handler import FakeCall, Handler
from tests.fakes.keys import rsa_key
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until

SUBJECT = "0a1b2c3d-user"
POLICIES = {
    "asked": {"issuers": "cognito", "userinfo": True},
    "sales": {"issuers": "cognito", "userinfo": True, "claims": {"@userinfo/department": "sales"}},
    "lenient": {"issuers": "cognito", "userinfo": {"required": False}},
    "lenient-sales": {
        "issuers": "cognito",
        "userinfo": {"required": False},
        "claims": {"@userinfo/department": "sales"},
    },
    "scoped": {"issuers": "cognito", "userinfo": True, "scopes": "orders/admin"},
    "shadowed": {"issuers": "cognito", "userinfo": True, "candidate": "asked"},
    "recent": {"issuers": "cognito", "userinfo": True, "max_age": "1s"},
    "plain": {},
}


@pytest.fixture
def endpoint() -> Iterator[KeyServer]:
    with KeyServer(json.dumps({"sub": SUBJECT, "department": "sales", "email": "jo@example.com"}).encode()) as server:
        yield server


@pytest.fixture
def background() -> Iterator[Background]:
    one = Background()
    yield one
    one.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def handler(endpoint: KeyServer, background: Background, clock: FakeClock) -> Handler:
    return _handler(endpoint, background, clock)


def _handler(endpoint: KeyServer, background: Background, clock: FakeClock, **sources: FixedKeys) -> Handler:
    authz = {
        **authz_with(cognito={"userinfo_uri": f"{endpoint.origin}/me"}),
        "policies": POLICIES,
        "forward": {"x-auth-subject": "sub", "x-auth-email": "@userinfo/email"},
    }
    source = UserinfoSource(
        "cognito",
        UserinfoLocation(uri=f"{endpoint.origin}/me"),
        background,
        log=lambda _name, _fields: None,
        environment=Environment(clock=clock, deadline_seconds=1.0),
    )
    return Handler(Rig(authz, key_sources() | sources, userinfo={"cognito": source}), background)


def _headers(answer: bytes) -> dict[str, str]:
    ok = pb.CheckResponse.FromString(answer).ok_response
    return {option.header.key: option.header.value for option in ok.headers}


# --- effects of an answer


def test_first_request_waits_for_the_issuer_and_the_next_does_not(handler: Handler, endpoint: KeyServer) -> None:
    token, call = access_token(), FakeCall()

    assert handler.check(check_request(token, "sales"), call) is None
    first = call.later.result(5)
    second = handler.check(check_request(token, "sales"), FakeCall())

    assert [decision.reason for decision in handler.decisions] == [Reason.OK, Reason.OK]
    assert second is not None
    assert _headers(first) == _headers(second) == {"x-auth-subject": SUBJECT, "x-auth-email": "jo@example.com"}
    assert endpoint.requests == 1


def test_claims_of_the_answer_reach_only_routes_whose_policy_asks(handler: Handler) -> None:
    token = access_token()
    assert handler.ask(token, "asked").reason is Reason.OK

    answer = handler.check(check_request(token, "plain"), FakeCall())

    assert answer is not None
    assert _headers(answer) == {"x-auth-subject": SUBJECT}
    assert "x-auth-email" in pb.CheckResponse.FromString(answer).ok_response.headers_to_remove


def test_condition_on_the_answer_is_judged(handler: Handler, endpoint: KeyServer) -> None:
    endpoint.document = json.dumps({"sub": SUBJECT, "department": "support"}).encode()

    decision = handler.ask(access_token(), "sales")

    assert decision.reason is Reason.CLAIM_MISMATCH
    assert decision.detail == "claim @userinfo/department does not meet the policy"


@pytest.mark.parametrize("mode", [Mode.REFUSE_401, Mode.REFUSE_403])
@pytest.mark.parametrize("policy", ["asked", "lenient"])
def test_token_that_the_issuer_refuses_is_revoked_whether_an_answer_is_required_or_not(
    handler: Handler, endpoint: KeyServer, mode: Mode, policy: str
) -> None:
    endpoint.mode = mode
    token = access_token()

    assert handler.ask(token, policy).reason is Reason.TOKEN_REVOKED
    assert handler.ask(token, policy).reason is Reason.TOKEN_REVOKED
    assert handler.ask(token, "plain").reason is Reason.OK
    assert endpoint.requests == 1


@pytest.mark.parametrize("mode", [Mode.ERROR_500, Mode.HTML, Mode.CLOSE, Mode.REDIRECT, Mode.HANG])
def test_endpoint_without_an_answer_is_a_503_that_can_be_tried_again(
    handler: Handler, endpoint: KeyServer, mode: Mode
) -> None:
    endpoint.mode = mode
    call = FakeCall()

    handler.check(check_request(access_token(), "asked"), call)
    denied = pb.CheckResponse.FromString(call.later.result(5)).denied_response

    assert handler.decisions[-1].reason is Reason.USERINFO_UNAVAILABLE
    assert denied.status.code == 503
    headers = {option.header.key: option.header.value for option in denied.headers}
    assert headers["retry-after"] == str(RETRY_AFTER_SECONDS)
    assert "www-authenticate" not in headers


def test_policy_that_requires_no_answer_goes_on_without_its_claims(handler: Handler, endpoint: KeyServer) -> None:
    endpoint.mode = Mode.ERROR_500
    token = access_token()

    assert handler.ask(token, "lenient").reason is Reason.OK
    assert handler.ask(token, "lenient-sales").reason is Reason.CLAIM_MISMATCH
    assert handler.ask(token, "asked").reason is Reason.USERINFO_UNAVAILABLE


def test_answer_about_somebody_else_is_none(handler: Handler, endpoint: KeyServer) -> None:
    endpoint.document = b'{"sub": "mallory", "department": "sales"}'
    token = access_token()

    assert handler.ask(token, "asked").reason is Reason.USERINFO_UNAVAILABLE
    assert handler.ask(token, "lenient-sales").reason is Reason.CLAIM_MISMATCH


def test_answers_are_kept_by_token_so_that_none_is_given_for_another(handler: Handler, endpoint: KeyServer) -> None:
    assert handler.ask(access_token(), "sales").reason is Reason.OK
    endpoint.document = json.dumps({"sub": SUBJECT, "department": "support"}).encode()

    assert handler.ask(access_token(jti="another"), "sales").reason is Reason.CLAIM_MISMATCH


# --- the order of checks


@pytest.mark.parametrize(
    ("token", "policy", "reason"),
    [
        (access_token(exp=NOW - 60), "asked", Reason.TOKEN_EXPIRED),
        (access_token(client_id="stranger"), "asked", Reason.AUDIENCE_MISMATCH),
        (access_token(token_use="id"), "asked", Reason.TOKEN_USE_MISMATCH),
        (access_token()[:-6] + "AAAAAA", "asked", Reason.SIGNATURE_INVALID),
        (partner_token(), "asked", Reason.ISSUER_NOT_ACCEPTED),
        (None, "asked", Reason.TOKEN_MISSING),
    ],
)
def test_token_that_is_not_good_by_itself_is_never_sent_anywhere(
    handler: Handler, endpoint: KeyServer, token: str | None, policy: str, reason: Reason
) -> None:
    assert handler.ask(token, policy).reason is reason
    assert endpoint.connections == 0


@pytest.mark.parametrize("policy", ["scoped", "recent"])
def test_refusal_by_the_issuer_comes_before_age_claims_and_scope(
    handler: Handler, endpoint: KeyServer, policy: str
) -> None:
    endpoint.mode = Mode.REFUSE_401

    assert handler.ask(access_token(), policy).reason is Reason.TOKEN_REVOKED


@pytest.mark.parametrize("mode", [Mode.SERVE, Mode.REFUSE_401, Mode.ERROR_500])
def test_candidate_is_judged_by_the_same_answer_and_asks_nothing_itself(
    handler: Handler, endpoint: KeyServer, mode: Mode
) -> None:
    endpoint.mode = mode

    comparison = handler.ask(access_token(), "shadowed").comparison

    assert comparison is not None
    assert comparison.agreement == "same"
    assert endpoint.requests == 1


# --- waiting


def test_caller_with_little_time_is_answered_in_time_and_the_answer_is_there_for_the_next(
    handler: Handler, endpoint: KeyServer
) -> None:
    endpoint.mode = Mode.HANG
    token = access_token()

    decision = handler.ask(token, "asked", FakeCall(seconds=0.1))

    assert decision.reason is Reason.USERINFO_UNAVAILABLE
    assert decision.detail == "userinfo: no answer in time"


def test_many_requests_with_one_token_are_answered_by_one_question(handler: Handler, endpoint: KeyServer) -> None:
    token = access_token()
    calls = [FakeCall() for _request in range(20)]

    answers = [handler.check(check_request(token, "asked"), call) for call in calls]
    for answer, call in zip(answers, calls, strict=True):
        assert _headers(answer or call.later.result(5))["x-auth-email"] == "jo@example.com"

    assert endpoint.requests == 1


def test_request_that_waited_for_its_key_waits_for_the_issuer_as_well(
    endpoint: KeyServer, background: Background, clock: FakeClock
) -> None:
    fetch: Future[None] = Future()
    keys = FixedKeys(key_set(other=rsa_key(5)), fetch)
    handler, call = _handler(endpoint, background, clock, cognito=keys), FakeCall()

    assert handler.check(check_request(access_token(), "sales"), call) is None
    keys.current = key_set(**{COGNITO_KID: rsa_key(0)})
    fetch.set_result(None)

    assert _headers(call.later.result(5))["x-auth-email"] == "jo@example.com"
    assert keys.asked == 1
    assert endpoint.requests == 1


def test_endpoint_that_hangs_takes_no_place_from_those_that_wait_for_keys(
    endpoint: KeyServer, background: Background, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "MAX_WAITING", 2)
    endpoint.mode = Mode.HANG
    fetch: Future[None] = Future()
    keys = FixedKeys(key_set(**{COGNITO_KID: rsa_key(0)}), fetch)
    handler = _handler(endpoint, background, clock, cognito=keys)
    hanging = [FakeCall() for _request in range(2)]
    for number, call in enumerate(hanging):
        assert handler.check(check_request(access_token(jti=str(number)), "asked"), call) is None

    one_too_many = handler.check(check_request(access_token(), "asked"), FakeCall())
    known = handler.check(check_request(access_token(), "plain"), FakeCall())
    rotated = FakeCall()
    waiting = handler.check(check_request(access_token(key=rsa_key(9), kid="new"), "plain"), rotated)

    assert one_too_many is not None
    assert known is not None
    assert waiting is None
    keys.current = key_set(**{COGNITO_KID: rsa_key(0), "new": rsa_key(9)})
    fetch.set_result(None)
    assert pb.CheckResponse.FromString(rotated.later.result(5)).HasField("ok_response")


def test_requests_of_several_threads_share_what_is_known(handler: Handler, endpoint: KeyServer) -> None:
    token, start = access_token(), threading.Barrier(4)

    def _request(_number: int) -> dict[str, str]:
        start.wait(5)
        call = FakeCall()
        return _headers(handler.check(check_request(token, "asked"), call) or call.later.result(5))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(_request, range(4)))

    assert all(answer["x-auth-email"] == "jo@example.com" for answer in answers)
    assert endpoint.requests == 1


def test_changed_answer_is_forwarded_once_it_is_known(handler: Handler, endpoint: KeyServer, clock: FakeClock) -> None:
    token = access_token()
    assert handler.ask(token, "asked").reason is Reason.OK
    endpoint.document = json.dumps({"sub": SUBJECT, "email": "new@example.com"}).encode()

    clock.advance(30)

    def _email() -> str:
        answer = handler.check(check_request(token, "asked"), FakeCall())
        assert answer is not None
        return _headers(answer)["x-auth-email"]

    until(lambda: _email() == "new@example.com")


# --- what can be counted


def test_reasons_that_an_issuer_can_give_are_there_from_the_start_where_it_is_asked(handler: Handler) -> None:
    labels: dict[str, set[Any]] = {}
    for reason, policy, alias in possible_checks(handler.rig.configuration):
        labels.setdefault(policy, set()).add((reason, alias))

    assert {("token_revoked", "cognito"), ("userinfo_unavailable", "cognito")} <= labels["asked"]
    assert ("token_revoked", "cognito") in labels["lenient"]
    assert ("userinfo_unavailable", "cognito") not in labels["lenient"]
    assert ("token_revoked", "cognito") not in labels["plain"]


def test_configuration_that_asks_nobody_has_no_reasons_of_an_issuer() -> None:
    reasons = {reason for reason, _policy, _alias in possible_checks(Rig(AUTHZ).configuration)}

    assert not reasons & {"token_revoked", "userinfo_unavailable"}
