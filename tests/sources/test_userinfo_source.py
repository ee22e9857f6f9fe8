"""UserinfoMode an issuer about tokens: once per token at a time, remembered for a while, whatever the endpoint does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from authz.core.issuers import UserinfoLocation
from authz.core.userinfo_lookup import UserinfoAnswer
from authz.sources import answer_memory, userinfo_source
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.userinfo_source import REMEMBERED_SECONDS, RENEWED_SECONDS, RESULTS, UserinfoSource
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.clock import FakeClock
from tests.fakes.connect_proxy import ConnectProxy, ProxyMode
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import Event

TOKEN = "a-token.of.alice"


def _document(**claims: Any) -> bytes:
    return json.dumps({"sub": "alice", "email": "alice@example.com"} | claims).encode()


Make = Callable[..., UserinfoSource]


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(_document()) as started:
        yield started


@pytest.fixture
def make(background: Background, events: list[Event], still: Environment) -> Make:
    def made(location: UserinfoLocation, environment: Environment = still) -> UserinfoSource:
        return UserinfoSource(
            "idp",
            location,
            background,
            log=lambda name, fields: events.append((name, fields)),
            environment=environment,
        )

    return made


@pytest.fixture
def source(make: Make, server: KeyServer) -> UserinfoSource:
    return make(UserinfoLocation(uri=f"{server.origin}/userinfo"))


def _ask(source: UserinfoSource, token: str = TOKEN, subject: str = "alice") -> None:
    asked = source.ask(token, subject)
    assert asked is not None
    asked.result(5)


def _found(source: UserinfoSource, token: str = TOKEN, subject: str = "alice") -> UserinfoAnswer:
    answer = source.find(token, subject)
    assert answer is not None
    return answer


# --- the question


def test_endpoint_is_asked_with_the_token_and_its_answer_is_remembered(
    source: UserinfoSource, server: KeyServer
) -> None:
    assert source.find(TOKEN, "alice") is None

    _ask(source)

    claims = _found(source).claims
    assert claims is not None
    assert claims["email"] == "alice@example.com"
    assert server.heads[0].startswith("GET /userinfo HTTP/1.1\r\n")
    assert f"authorization: Bearer {TOKEN}\r\n" in server.heads[0].replace("Authorization", "authorization")
    assert source.report().fetches["ok"] == 1


def test_those_who_ask_about_the_same_token_share_one_question(source: UserinfoSource, server: KeyServer) -> None:
    server.mode = Mode.HANG

    questions = {source.ask(TOKEN, "alice") for _request in range(50)}

    assert len(questions) == 1
    until(lambda: server.requests)
    assert server.requests == 1


def test_another_token_is_another_question(source: UserinfoSource, server: KeyServer) -> None:
    _ask(source)
    _ask(source, "another.token.of-alice")

    assert server.requests == 2


def test_a_discovery_document_that_is_refused_says_nothing_about_the_token(make: Make, server: KeyServer) -> None:
    server.mode = Mode.REFUSE_401
    source = make(UserinfoLocation(discovery=server.origin))

    _ask(source)

    answer = _found(source)
    assert (answer.result, answer.is_refusal) == ("http_status", False)


def test_a_proxy_that_forbids_the_endpoint_says_nothing_about_the_token(make: Make) -> None:
    with ConnectProxy({}) as proxy:
        proxy.mode = ProxyMode.FORBIDDEN
        source = make(UserinfoLocation(uri="https://idp.test/userinfo", proxy=proxy.url))

        _ask(source)

    answer = _found(source)
    assert (answer.result, answer.is_refusal) == ("proxy_failed", False)


def test_endpoint_is_found_by_discovery_once(make: Make, server: KeyServer) -> None:
    server.discovery["userinfo_endpoint"] = f"{server.origin}/me"
    source = make(UserinfoLocation(discovery=server.origin))

    for token in ("a", "b", "c"):
        _ask(source, token)

    assert [head.split()[1] for head in server.heads] == ["/.well-known/openid-configuration", "/me", "/me", "/me"]
    assert TOKEN not in server.heads[0]


def test_endpoint_that_fails_is_looked_for_again_since_it_may_have_moved(make: Make, server: KeyServer) -> None:
    server.discovery["userinfo_endpoint"] = f"{server.origin}/old"
    server.modes["/old"] = Mode.ERROR_500
    source = make(UserinfoLocation(discovery=server.origin))
    _ask(source, "a")
    server.discovery["userinfo_endpoint"] = f"{server.origin}/new"

    _ask(source, "b")

    assert _found(source, "a").result == "http_status"
    assert _found(source, "b").result == "ok"


@pytest.mark.parametrize(
    ("discovery", "result"),
    [
        ({}, "malformed"),
        ({"userinfo_endpoint": 7}, "malformed"),
        ({"userinfo_endpoint": "https://elsewhere.example.com/me"}, "issuer_mismatch"),
        ({"userinfo_endpoint": "http://elsewhere.example.com/me"}, "url_refused"),
        ({"userinfo_endpoint": "http://127.0.0.1:1/me", "issuer": "https://other.example.com"}, "issuer_mismatch"),
    ],
    ids=str,
)
def test_token_is_sent_to_no_endpoint_that_discovery_may_not_name(
    make: Make, server: KeyServer, discovery: dict[str, Any], result: str
) -> None:
    server.discovery = discovery
    source = make(UserinfoLocation(discovery=server.origin))

    _ask(source)

    assert _found(source).result == result
    assert not any(TOKEN in head for head in server.heads)


def test_certificate_of_the_endpoint_is_checked_against_the_issuers_authorities(make: Make, tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_bytes(authority_pem())
    with KeyServer(_document(), tls=server_context()) as server:
        trusting = make(UserinfoLocation(uri=server.url, ca_file=str(tmp_path / "ca.pem")))
        strange = make(UserinfoLocation(uri=server.url))

        _ask(trusting)
        _ask(strange)

        assert _found(trusting).result == "ok"
        assert _found(strange).result == "tls_failed"
        assert len(server.heads) == 1


# --- the answer


@pytest.mark.parametrize("mode", [Mode.REFUSE_401, Mode.REFUSE_403])
def test_endpoint_that_refuses_the_token_is_believed(source: UserinfoSource, server: KeyServer, mode: Mode) -> None:
    server.mode = mode

    _ask(source)

    assert _found(source).is_refusal
    assert source.report().fetches["refused"] == 1


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        (Mode.HANG, "timeout"),
        (Mode.DRIP_HEAD, "timeout"),
        (Mode.DRIP_BODY, "timeout"),
        (Mode.ERROR_500, "http_status"),
        (Mode.EMPTY_204, "http_status"),
        (Mode.HTML, "malformed"),
        (Mode.REDIRECT, "redirect"),
        (Mode.BROTLI, "malformed"),
        (Mode.STREAM, "too_large"),
        (Mode.ANNOUNCE_HUGE, "too_large"),
        (Mode.ENDLESS_HEAD, "too_large"),
        (Mode.CUT_SHORT, "malformed"),
        (Mode.NOT_HTTP, "malformed"),
        (Mode.CLOSE, "malformed"),
    ],
)
def test_whatever_else_the_endpoint_does_is_no_answer_and_neither_quoted_nor_followed(
    source: UserinfoSource, server: KeyServer, events: list[Event], mode: Mode, result: str
) -> None:
    server.document = _document(padding="x" * 600)
    server.mode, server.redirect_to = mode, f"{server.origin}/elsewhere"

    _ask(source)

    answer = _found(source)
    assert (answer.result, answer.claims, answer.is_refusal) == (result, None, False)
    assert source.report().fetches[result] == 1
    assert server.requests == 1
    assert TOKEN not in repr(events) + answer.detail
    assert "secret" not in repr(events) + answer.detail


def test_answer_about_somebody_else_is_none(source: UserinfoSource, server: KeyServer) -> None:
    server.document = _document(sub="mallory")

    _ask(source)

    answer = _found(source)
    assert (answer.result, answer.claims) == ("other_subject", None)


def test_failure_of_our_own_is_an_answer_like_any_other_failure(
    source: UserinfoSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_document: bytes, _subject: str) -> None:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(userinfo_source, "parse", fail)

    _ask(source)

    answer = _found(source)
    assert answer.result == "internal_error"
    assert TOKEN not in answer.detail


def test_every_result_is_counted_from_the_start(source: UserinfoSource) -> None:
    assert source.report().fetches == dict.fromkeys(RESULTS, 0)


# --- how long it counts


def test_answer_counts_for_the_stated_time_and_no_longer(source: UserinfoSource, clock: FakeClock) -> None:
    _ask(source)

    clock.advance(RENEWED_SECONDS - 1)
    assert _found(source).result == "ok"
    clock.advance(REMEMBERED_SECONDS - RENEWED_SECONDS + 1)
    assert source.find(TOKEN, "alice") is None


def test_token_in_use_is_asked_about_anew_while_the_old_answer_still_counts(
    source: UserinfoSource, server: KeyServer, clock: FakeClock
) -> None:
    _ask(source)
    clock.advance(RENEWED_SECONDS)
    server.document = _document(email="new@example.com")

    assert _found(source).claims == {"sub": "alice", "email": "alice@example.com"}

    until(lambda: _found(source).claims == {"sub": "alice", "email": "new@example.com"})
    assert server.requests == 2


def test_token_that_is_refused_when_it_is_asked_about_anew_is_refused_from_then_on(
    source: UserinfoSource, server: KeyServer, clock: FakeClock
) -> None:
    _ask(source)
    clock.advance(RENEWED_SECONDS)
    server.mode = Mode.REFUSE_401

    _found(source)

    until(lambda: _found(source).is_refusal)


def test_endpoint_that_fails_takes_no_good_answer_away_and_is_asked_again_after_the_cool_down(
    source: UserinfoSource, server: KeyServer, clock: FakeClock
) -> None:
    _ask(source)
    clock.advance(RENEWED_SECONDS)
    server.mode = Mode.ERROR_500
    _found(source)
    until(lambda: source.report().fetches["http_status"] == 1)

    for _request in range(20):
        assert _found(source).result == "ok"
    assert server.requests == 2

    clock.advance(5)
    assert _found(source).result == "ok"
    until(lambda: server.requests == 3)


def test_failure_counts_until_the_cool_down_is_over(
    source: UserinfoSource, server: KeyServer, clock: FakeClock
) -> None:
    server.mode = Mode.ERROR_500
    _ask(source)

    clock.advance(4.9)
    assert _found(source).result == "http_status"
    clock.advance(0.1)
    assert source.find(TOKEN, "alice") is None


# --- bounds


def test_answers_are_bounded_in_number_and_the_oldest_go_first(
    source: UserinfoSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_memory, "MAX_ANSWERS", 3)

    for token in ("a", "b", "c", "d", "b"):
        _ask(source, token)

    assert len(source) == 3
    assert source.find("a", "alice") is None
    assert source.find("d", "alice") is not None


def test_answers_are_bounded_in_size(source: UserinfoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_memory, "MAX_CHARACTERS", 3 * len(_document()))

    for token in ("a", "b", "c", "d"):
        _ask(source, token)

    assert len(source) == 2


def test_questions_under_way_are_bounded(
    source: UserinfoSource, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userinfo_source, "MAX_UNDER_WAY", 2)
    server.mode = Mode.HANG

    asked = [source.ask(token, "alice") for token in ("a", "b", "c")]

    assert asked[0] is not None
    assert asked[1] is not None
    assert asked[2] is None
    for question in asked[:2]:
        assert question is not None
        question.result(5)
    assert source.ask("c", "alice") is not None


def test_connections_at_the_same_time_are_bounded(
    make: Make, server: KeyServer, still: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userinfo_source, "MAX_CONNECTIONS", 2)
    server.mode = Mode.HANG
    source = make(UserinfoLocation(uri=server.url), replace(still, deadline_seconds=30.0))

    for number in range(6):
        assert source.ask(str(number), "alice") is not None
    until(lambda: server.connections == 2)
    time.sleep(0.2)  # a call that is not held back would have arrived by now

    assert server.connections == 2


def test_questions_that_wait_for_their_turn_keep_their_deadline(
    make: Make, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userinfo_source, "MAX_CONNECTIONS", 1)
    server.mode = Mode.HANG
    source = make(UserinfoLocation(uri=server.url))

    for question in [source.ask(str(number), "alice") for number in range(6)]:
        assert question is not None
        question.result(2)

    assert source.report().fetches["timeout"] == 6


# --- the log


def test_log_says_when_the_endpoint_stops_and_starts_to_answer_however_many_ask(
    source: UserinfoSource, server: KeyServer, events: list[Event]
) -> None:
    server.mode = Mode.ERROR_500
    for token in ("a", "b", "c"):
        _ask(source, token)
    server.mode = Mode.SERVE
    for token in ("d", "e"):
        _ask(source, token)

    assert [name for name, _fields in events] == ["userinfo_failed", "userinfo_recovered"]
    assert events[0][1] == {
        "issuer": "idp",
        "result": "http_status",
        "detail": "userinfo: status 500 instead of 200",
    }


def test_refused_token_is_no_failure_of_the_endpoint(
    source: UserinfoSource, server: KeyServer, events: list[Event]
) -> None:
    server.mode = Mode.REFUSE_401

    _ask(source)

    assert events == []


def test_log_that_fails_does_not_stop_the_asking(server: KeyServer, background: Background, still: Environment) -> None:
    def fail(_name: str, _fields: object) -> None:
        raise OSError

    source = UserinfoSource("idp", UserinfoLocation(uri=server.url), background, log=fail, environment=still)
    server.mode = Mode.ERROR_500

    _ask(source)

    assert _found(source).result == "http_status"
