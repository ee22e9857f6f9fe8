"""The line from bytes to bytes: its order, its waiting, its boundary."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from authz.core import bearer
from authz.core import check as decide_module
from authz.core import token as token_module
from authz.core.check import decide
from authz.core.decision import Decision
from authz.core.key_lookup import FetchPending
from authz.core.policy_lookup import PolicyLookup
from authz.core.reasons import Reason
from authz.observe.labels import possible_checks
from authz.server import check_service as check_module
from authz.server import wire
from authz.server.check_response import Renderer
from authz.server.check_service import CheckService
from authz.server.pb import ext_authz_pb2 as pb
from authz.sources.background import Background
from tests.fakes.checks import (
    AUTHZ,
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    PARTNER_KEY,
    FixedKeys,
    Rig,
    access_claims,
    access_token,
    check_request,
    id_token,
    key_set,
    key_sources,
    partner_token,
)
from tests.fakes.handler import FakeCall, Handler, handling
from tests.fakes.keys import rsa_key, sign
from tests.fakes.waiting import until


@pytest.fixture
def background() -> Iterator[Background]:
    one = Background()
    yield one
    one.stop()


def reason_in(answer: bytes) -> str:
    return str(pb.CheckResponse.FromString(answer).dynamic_metadata.fields["reason"].string_value)


# --- the order


WRONG: dict[str, dict[str, Any]] = {
    "request_malformed": {"policy": "reading", "token": "not one b64token"},
    "policy_missing": {"policy": ""},
    "policy_invalid": {"policy": "no-such-policy"},
    "denied": {"policy": "deny"},
    "token_missing": {"policy": "reading", "token": None},
    "token_malformed": {"policy": "reading", "token": "a.b.c"},
}
"""What goes wrong before a token has a shape, by the row that must come of it. The token is bad in each."""


@pytest.mark.parametrize("expected", WRONG)
def test_what_is_wrong_first_is_the_reason(expected: str) -> None:
    wrong = {"token": "a.b.c"} | WRONG[expected]

    assert Rig().reason(wrong["token"], wrong["policy"]).row.label == expected


FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("issuer_unknown", {"iss": "https://evil.example.com"}),
    ("issuer_not_accepted", {"iss": "https://idp.example.com/realms/partner"}),
    ("algorithm_not_allowed", {"alg": "PS256"}),
    ("key_unknown", {"kid": "no-such-key"}),
    ("signature_invalid", {"key": rsa_key(7)}),
    ("token_expired", {"exp": int(NOW) - 1000}),
    ("token_use_mismatch", {"token_use": "refresh"}),
    ("audience_mismatch", {"client_id": "someone-else"}),
    ("claim_mismatch", {"cognito:groups": ["guests"]}),
    ("scope_insufficient", {"scope": "other"}),
)
"""Faults of a token in the order of the reason table."""

STRICT = dict(AUTHZ) | {
    "policies": {"strict": {"issuers": ["cognito"], "scopes": ["orders/read"], "groups": ["staff"]}}
}


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(range(len(FAULTS)), 2)))
def test_of_two_faults_the_earlier_row_is_the_reason(first: int, second: int) -> None:
    changes = FAULTS[second][1] | FAULTS[first][1]
    signing = {name: changes.pop(name) for name in ("alg", "kid", "key") if name in changes}
    token = sign(
        signing.get("key", COGNITO_KEY),
        access_claims(**changes),
        kid=signing.get("kid", COGNITO_KID),
        alg=signing.get("alg"),
    )

    assert Rig(STRICT).reason(token, "strict").row.label == FAULTS[first][0]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_token_seen_before_is_refused_for_the_same_reason_and_issuer(number: int) -> None:
    label, changes = FAULTS[number]
    if {"alg", "kid", "key", "iss"} & set(changes):
        return  # never verified, so never remembered
    rig = Rig(STRICT)
    token = access_token(**changes)

    first, again = rig.decide(token, "strict"), rig.decide(token, "strict")

    assert (first.remembered, again.remembered) == (False, label != "token_expired")
    assert (again.reason.row.label, again.issuer) == (first.reason.row.label, first.issuer) == (label, "cognito")


def test_an_issuer_that_the_policy_leaves_out_is_named_whether_its_token_is_remembered_or_not() -> None:
    rig = Rig()
    token = partner_token()
    fresh = rig.decide(token, "cognito-only")
    assert rig.reason(token) is Reason.OK

    remembered = rig.decide(token, "cognito-only")

    assert (fresh.reason, fresh.issuer) == (Reason.ISSUER_NOT_ACCEPTED, "partner")
    assert (remembered.reason, remembered.issuer) == (Reason.ISSUER_NOT_ACCEPTED, "partner")


def test_a_token_is_not_remembered_beyond_its_key_set() -> None:
    rig = Rig()
    token = access_token()
    assert rig.reason(token) is Reason.OK

    rig.sources["cognito"].current = key_set(other=rsa_key(5))
    assert rig.reason(token) is Reason.KEY_UNKNOWN

    rig.sources["cognito"].current = key_set(**{COGNITO_KID: rsa_key(5)})
    assert rig.reason(token) is Reason.SIGNATURE_INVALID

    rig.sources["cognito"].current = None
    assert rig.reason(token) is Reason.KEYS_UNAVAILABLE


def test_a_remembered_token_expires_when_its_time_comes() -> None:
    rig = Rig()
    token = access_token(exp=int(NOW) + 100)
    assert rig.reason(token, now=NOW + 109) is Reason.OK

    assert rig.reason(token, now=NOW + 110) is Reason.TOKEN_EXPIRED


def test_keys_of_one_issuer_verify_no_token_of_another() -> None:
    sources = key_sources()
    sources["partner"] = FixedKeys(key_set(**{COGNITO_KID: COGNITO_KEY}))
    rig = Rig(sources=sources)

    stolen = sign(PARTNER_KEY, access_claims(), kid=COGNITO_KID, alg="ES256")

    assert rig.reason(access_token()) is Reason.OK
    assert rig.reason(stolen) is Reason.ALGORITHM_NOT_ALLOWED or rig.reason(stolen) is Reason.SIGNATURE_INVALID


# --- what a check leaves behind


def test_no_check_leaves_a_reference_cycle_so_that_the_garbage_collector_has_nothing_to_stop_it_for() -> None:
    rig = Rig(STRICT)
    tokens = [None, "a.b.c", f"e30.{'A' * 8}.AAAA", access_token(), partner_token()]
    tokens += [access_token(**changes) for _, changes in FAULTS if not {"alg", "kid", "key"} & set(changes)]
    tokens += [sign(rsa_key(7), access_claims(), kid=kid) for kid in (COGNITO_KID, "no-such-key")]
    requests = [check_request(token, policy) for token in tokens for policy in ("strict", "no-such-policy", "deny")]
    with handling(rig) as handler:
        ask_all(handler, [*requests, b"", b"no protobuf"])
        with undisturbed():
            ask_all(handler, [*requests, b"", b"no protobuf"])

            assert gc.collect() == 0


def ask_all(handler: Handler, requests: list[bytes]) -> None:
    for request in requests:
        assert handler.check(request, FakeCall()) is not None
    handler.decisions.clear()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without automatic collection, and with nothing to collect at first."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# --- what the metrics can show


def test_every_decision_of_these_tests_is_a_label_that_is_there_from_the_start() -> None:
    rig, strict = Rig(), Rig(STRICT)
    decisions = [rig.decide(wrong.get("token", "a.b.c"), wrong["policy"]) for wrong in WRONG.values()]
    for policy in AUTHZ["policies"]:
        for token in (None, "a.b.c", access_token(), id_token(), partner_token(), access_token(sub="a\nb")):
            decisions += [rig.decide(token, policy), rig.decide(token, policy)]
    found = {_labels(decision) for decision in decisions}
    found_strict = {
        _labels(strict.decide(access_token(**c), "strict")) for _, c in FAULTS if not {"alg", "kid", "key"} & set(c)
    }

    assert found <= set(possible_checks(rig.configuration))
    assert found_strict <= set(possible_checks(strict.configuration))


def _labels(decision: Decision) -> tuple[str, str, str]:
    return decision.reason.row.label, decision.policy.name if decision.policy else "", decision.issuer


# --- waiting


UNKNOWN = sign(rsa_key(3), access_claims(), kid="rotated")


def test_a_key_that_a_fetch_brings_lets_the_request_in(background: Background) -> None:
    rig, fetch = _with_fetch()
    handler, call = Handler(rig, background), FakeCall(seconds=10)

    assert handler.check(check_request(UNKNOWN), call) is None
    rig.sources["cognito"].current = key_set(rotated=rsa_key(3))
    fetch.set_result(None)

    assert reason_in(call.later.result(10)) == "ok"
    assert [decision.reason for decision in handler.decisions] == [Reason.OK]


def test_a_fetch_that_brings_nothing_ends_in_a_refusal(background: Background) -> None:
    rig, fetch = _with_fetch()
    call = FakeCall(seconds=10)

    assert Handler(rig, background).check(check_request(UNKNOWN), call) is None
    fetch.set_result(None)

    assert reason_in(call.later.result(10)) == "key_unknown"


def test_a_wait_ends_before_the_deadline_of_the_caller(background: Background) -> None:
    rig, _never = _with_fetch()
    call = FakeCall(seconds=0.2)

    assert Handler(rig, background).check(check_request(UNKNOWN), call) is None

    assert reason_in(call.later.result(10)) == "key_unknown"


def test_a_wait_ends_by_itself_where_the_caller_sets_no_deadline(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "MAX_WAIT_SECONDS", 0.1)
    rig, _never = _with_fetch()
    call = FakeCall(seconds=float("inf"))

    assert Handler(rig, background).check(check_request(UNKNOWN), call) is None

    assert reason_in(call.later.result(10)) == "key_unknown"


def test_a_caller_without_time_left_is_answered(background: Background) -> None:
    rig, _never = _with_fetch()
    call = FakeCall(seconds=-1)

    assert Handler(rig, background).check(check_request(UNKNOWN), call) is None

    assert reason_in(call.later.result(10)) == "key_unknown"


def test_no_more_than_the_bound_wait_and_the_next_is_answered_at_once(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "MAX_WAITING", 3)
    rig, fetch = _with_fetch()
    handler = Handler(rig, background)
    calls = [FakeCall(seconds=60) for _ in range(3)]
    assert [handler.check(check_request(UNKNOWN), call) for call in calls] == [None, None, None]

    answer = handler.check(check_request(UNKNOWN), FakeCall(seconds=60))

    assert answer is not None
    assert reason_in(answer) == "key_unknown"
    fetch.set_result(None)
    assert {reason_in(call.later.result(10)) for call in calls} == {"key_unknown"}
    until(lambda: handler.check(check_request(UNKNOWN), FakeCall(seconds=60)) is None)


def test_a_known_key_never_waits(background: Background) -> None:
    rig, _never = _with_fetch()

    assert Handler(rig, background).check(check_request(access_token()), FakeCall()) is not None
    assert rig.sources["cognito"].asked == 0


def test_a_reload_during_a_wait_is_what_the_waiting_request_is_held_against(background: Background) -> None:
    rig, fetch = _with_fetch()
    handler, call = Handler(rig, background), FakeCall(seconds=10)
    assert handler.check(check_request(UNKNOWN, "reading"), call) is None

    authz = dict(AUTHZ) | {"policies": {"reading": {"scopes": ["orders/secret"]}}}
    handler.check.rules = Rig(
        authz, {"cognito": FixedKeys(key_set(rotated=rsa_key(3))), "partner": FixedKeys(None)}
    ).rules
    fetch.set_result(None)

    assert reason_in(call.later.result(10)) == "scope_insufficient"


def _with_fetch() -> tuple[Rig, Future[None]]:
    fetch: Future[None] = Future()
    fetch.set_running_or_notify_cancel()
    sources = key_sources()
    sources["cognito"].fetch = fetch
    return Rig(sources=sources), fetch


# --- the boundary


QUOTED = access_token()


class Unforeseen(Exception):
    """Of no kind that the code catches."""


def _breaks(*_arguments: object, **_named: object) -> Any:
    raise Unforeseen(f"quotes {QUOTED}")


BREAKABLE: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    lambda patch: patch.setattr(wire, "parse", _breaks),
    lambda patch: patch.setattr(PolicyLookup, "find", _breaks),
    lambda patch: patch.setattr(bearer, "find", _breaks),
    lambda patch: patch.setattr(token_module, "parse", _breaks),
    lambda patch: patch.setattr(decide_module, "verify", _breaks),
    lambda patch: patch.setattr(decide_module, "identify", _breaks),
    lambda patch: patch.setattr(decide_module, "judge_claims", _breaks),
    lambda patch: patch.setattr(Renderer, "_encode_identity", _breaks),
)


@pytest.mark.parametrize("breakage", BREAKABLE)
def test_whatever_is_unforeseen_is_refused_and_says_where_but_not_with_what(
    breakage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    breakage(monkeypatch)

    with handling(Rig()) as handler:
        decision = handler.ask(access_token(), "reading")

    assert decision.reason is Reason.INTERNAL_ERROR
    assert "Unforeseen" in decision.detail
    assert "_breaks" in decision.detail
    assert QUOTED not in decision.detail


@pytest.mark.parametrize("error", [RecursionError, MemoryError, KeyError, UnicodeEncodeError])
def test_errors_of_the_interpreter_are_refused_too(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Any:
        raise error if error is not UnicodeEncodeError else UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate")

    monkeypatch.setattr(decide_module, "judge_claims", fails)

    with handling(Rig()) as handler:
        assert handler.ask(access_token()).reason is Reason.INTERNAL_ERROR


@pytest.mark.parametrize("sub", ["\ud800", "a\r\nb", "\0", "é", "x" * 10_000])
def test_no_subject_makes_an_answer_fail(sub: str) -> None:
    authz = dict(AUTHZ) | {"forward": {"x-issuer": "@issuer"}}
    with handling(Rig(authz)) as handler:
        reasons = {handler.ask(access_token(sub=sub, scope=scope), "reading").reason for scope in ("orders/read", "x")}

    assert Reason.INTERNAL_ERROR not in reasons


def test_an_overloaded_call_is_answered_and_counted_without_being_read(background: Background) -> None:
    handler = Handler(Rig(), background)

    assert reason_in(handler.check.overloaded(FakeCall())) == "overloaded"
    assert [decision.reason for decision in handler.decisions] == [Reason.OVERLOADED]


def test_decide_raises_nothing_but_not_yet() -> None:
    rig, _never = _with_fetch()

    with pytest.raises(FetchPending):
        decide(rig.rules, check_request(UNKNOWN), NOW, may_wait=True)


def test_checks_of_many_threads_at_once_are_all_right() -> None:
    """The public server runs the handler on many threads."""
    tokens = {access_token(jti=str(number)): Reason.OK for number in range(40)}
    tokens |= {access_token(jti=str(number), scope="x"): Reason.SCOPE_INSUFFICIENT for number in range(40)}
    rig = Rig()
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(token for token, reason in tokens.items() if rig.reason(token, "reading") is not reason)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert wrong == []


def test_a_check_of_a_background_that_has_ended_waits_for_nothing() -> None:
    rig, _never = _with_fetch()
    stopped = Background()
    stopped.stop()

    assert (
        CheckService(rig.rules, stopped, lambda *_: None, clock=lambda: NOW)(check_request(UNKNOWN), FakeCall()) is None
    )
    assert asyncio.iscoroutinefunction(CheckService._later)
