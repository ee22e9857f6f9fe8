"""One issuer's keys over their life: start, refresh, rotation, age, report."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.jwks import FetchResult, JwksSource
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.clock import FakeClock
from tests.fakes.keys import ec_key, ed25519_key, jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import Event, MakeSource

A, B = jwk(rsa_key(0), "a"), jwk(ec_key(0), "b")


def _kids(source: JwksSource) -> set[str]:
    return set(source.current.keys) if source.current else set()


def _ended(source: JwksSource) -> int:
    return sum(source.report().fetches.values())


def _until_ended(source: JwksSource, fetches: int) -> None:
    until(lambda: _ended(source) == fetches)


def _started(source: JwksSource) -> JwksSource:
    """The source after its first fetch."""
    source.start()
    _until_ended(source, 1)
    return source


def test_the_first_fetch_is_made_at_start_without_anybody_asking(make_source: MakeSource) -> None:
    with KeyServer(jwks(A, B)) as server:
        source = make_source(jwks_uri=server.url)
        assert source.current is None

        _started(source)

        assert _kids(source) == {"a", "b"}
        assert server.requests == 1


def test_a_refresh_comes_after_the_interval_and_not_before(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url, refresh_seconds=300))

        clock.advance(299)
        server.document = jwks(A, B)
        assert _kids(source) == {"a"}
        clock.advance(2)

        until(lambda: _kids(source) == {"a", "b"})
        assert server.requests == 2


def test_a_removed_key_is_gone_after_the_next_refresh(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A, B)) as server:
        source = _started(make_source(jwks_uri=server.url))
        server.document = jwks(B)

        clock.advance(301)

        until(lambda: _kids(source) == {"b"})


def test_a_new_key_is_there_when_the_fetch_that_was_asked_for_ends(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url))
        server.document = jwks(A, B)
        clock.advance(5.1)

        fetch = source.ask()

        assert fetch is not None
        assert fetch.result(3) is None
        assert _kids(source) == {"a", "b"}


def test_the_same_document_and_the_same_keys_keep_the_same_object(make_source: MakeSource, clock: FakeClock) -> None:
    third = jwk(ed25519_key(), "c")
    with KeyServer(jwks(A, B, third)) as server:
        source = _started(make_source(jwks_uri=server.url))
        first = source.current

        clock.advance(301)
        _until_ended(source, 2)
        assert source.current is first
        server.document = jwks(third, B, A) + b"\n"
        clock.advance(301)
        _until_ended(source, 3)

        assert source.current is first


def test_another_key_under_the_same_kid_replaces_the_old_one(
    make_source: MakeSource, clock: FakeClock, events: list[Event]
) -> None:
    with KeyServer(jwks(jwk(rsa_key(0), "a"), B)) as server:
        source = _started(make_source(jwks_uri=server.url))
        first, seen = source.current, {key.kid: key.first_seen for key in source.report().keys}
        server.document = jwks(jwk(rsa_key(1), "a"), B)

        clock.advance(301)
        until(lambda: source.current is not first)

        now = {key.kid: key.first_seen for key in source.report().keys}
        assert now == {"a": seen["a"] + 301, "b": seen["b"]}
        until(lambda: len(events) == 2)
        assert events[1][1]["added"] == ["a"]


def test_down_at_start_then_up_recovers_within_half_a_minute_and_leaves_other_issuers_alone(
    make_source: MakeSource, clock: FakeClock
) -> None:
    with KeyServer(jwks(A)) as down, KeyServer(jwks(B)) as up:
        down.mode = Mode.ERROR_500
        late, other = _started(make_source(jwks_uri=down.url)), _started(make_source(jwks_uri=up.url))
        assert (_kids(late), _kids(other)) == (set(), {"b"})
        for failures in range(2, 7):
            clock.advance(31)
            _until_ended(late, failures)

        down.mode = Mode.SERVE
        clock.advance(31)

        until(lambda: _kids(late) == {"a"})
        assert up.requests == 1


def test_retries_back_off_while_the_endpoint_is_down(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url))
        server.mode = Mode.ERROR_500
        clock.advance(301)
        _until_ended(source, 2)

        for second in range(1, 61):
            clock.advance(1)
            _until_ended(source, 2 + sum(second >= at for at in (7, 7 + 13, 7 + 13 + 25)))  # 5, 10, 20 s and a quarter

        assert server.requests == 5
        assert _kids(source) == {"a"}


def test_keys_older_than_max_stale_are_no_longer_used_until_a_good_fetch(
    make_source: MakeSource, clock: FakeClock, events: list[Event]
) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url, refresh_seconds=300, max_stale_seconds=3600))
        first = source.current
        server.mode = Mode.HANG
        clock.advance(3599)
        assert source.current is first
        assert not source.report().stale

        clock.advance(2)
        until(lambda: source.current is None)

        assert source.report().stale
        assert source.report().keys == ()
        until(
            lambda: any("older than max_stale" in str(fields["detail"]) for _, fields in events if "detail" in fields)
        )
        server.mode = Mode.SERVE
        until(lambda: _ended(source) >= 2)
        clock.advance(40)
        until(lambda: source.current is first)
        assert not source.report().stale


def test_a_good_fetch_renews_the_age(make_source: MakeSource, clock: FakeClock, events: list[Event]) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url, refresh_seconds=300, max_stale_seconds=400))
        for fetches in range(2, 6):
            clock.advance(301)
            _until_ended(source, fetches)
            time.sleep(0.03)

        assert source.current is not None
        assert [name for name, _ in events] == ["jwks_refreshed"]  # and never "older than max_stale"


def test_a_good_fetch_ends_the_back_off(make_source: MakeSource, clock: FakeClock, events: list[Event]) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url))
        for fetches, mode in ((2, Mode.ERROR_500), (3, Mode.SERVE)):
            server.mode = mode
            clock.advance(301)
            _until_ended(source, fetches)

        clock.advance(299)
        time.sleep(0.05)
        assert server.requests == 3
        clock.advance(2)
        _until_ended(source, 4)

        assert [name for name, _ in events] == ["jwks_refreshed", "jwks_failed", "jwks_refreshed"]


def test_a_jump_of_the_wall_clock_changes_no_age_and_no_schedule(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url, max_stale_seconds=1800))

        clock.jump(7200)
        clock.advance(1)
        clock.jump(-14400)
        clock.advance(1)

        assert source.current is not None
        assert server.requests == 1


def test_the_report_is_json_and_says_what_is_known(make_source: MakeSource, clock: FakeClock) -> None:
    weak = jwk(rsa_key(0, 1024), "weak")
    with KeyServer(jwks(A, weak, jwk(ed25519_key(), "c"))) as server:
        source = _started(make_source(alias="partner", jwks_uri=server.url))
        began = clock.wall()
        clock.advance(6)
        server.mode = Mode.HTML
        fetch = source.ask()
        assert fetch is not None
        fetch.result(3)
        source.ask()

        report = json.loads(json.dumps(asdict(source.report())))

    assert report == {
        "alias": "partner",
        "keys": [
            {"kid": "a", "algorithms": ["RS256"], "first_seen": began},
            {"kid": "c", "algorithms": ["EdDSA"], "first_seen": began},
        ],
        "dropped": [{"key_id": "weak", "why": "its RSA modulus is not 2048 to 8192 bits"}],
        "last_success": began,
        "last_result": "no_usable_key",
        "fetches": dict.fromkeys(FetchResult, 0) | {"ok": 1, "no_usable_key": 1},
        "unknown_kids": 2,
        "stale": False,
    }


def test_the_log_has_one_event_per_change_and_none_for_an_unchanged_refresh(
    make_source: MakeSource, clock: FakeClock, events: list[Event]
) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(alias="partner", jwks_uri=server.url))
        clock.advance(301)
        _until_ended(source, 2)
        server.mode = Mode.ERROR_500
        clock.advance(301)
        _until_ended(source, 3)
        server.mode, server.document = Mode.SERVE, jwks(B, jwk(rsa_key(1), "n\n", use="enc"))
        clock.advance(10)
        until(lambda: len(events) == 4)

    first, failed, changed, dropped = events
    assert first == (
        "jwks_refreshed",
        {"issuer": "partner", "keys": 1, "added": ["a"], "removed": [], "recovered": False},
    )
    assert failed == (
        "jwks_failed",
        {"issuer": "partner", "result": "http_status", "detail": "status 500 instead of 200", "serving": True},
    )
    assert changed[1] == {"issuer": "partner", "keys": 1, "added": ["b"], "removed": ["a"], "recovered": True}
    assert dropped == (
        "jwks_key_dropped",
        {"issuer": "partner", "count": 1, "dropped": [r"'n\n': its use is not sig"]},
    )


def test_discovery_finds_the_keys_in_one_fetch(make_source: MakeSource) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(discovery=server.origin))

        assert _kids(source) == {"a"}
        assert len(server.heads) == 2


def test_a_private_authority_and_a_bearer_token_file_are_used_and_read_anew(
    make_source: MakeSource, clock: FakeClock, tmp_path: Path
) -> None:
    ca, token = tmp_path / "ca.pem", tmp_path / "token"
    ca.write_bytes(authority_pem())
    token.write_text("first\n")
    with KeyServer(jwks(A), tls=server_context()) as server:
        source = make_source(discovery=server.origin, ca_file=str(ca), bearer_token_file=str(token))
        _started(source)
        token.write_text("second")
        clock.advance(301)
        _until_ended(source, 2)

    sent = [line for head in server.heads for line in head.split("\r\n") if line.startswith("authorization")]
    assert sent == ["authorization: Bearer first"] * 2 + ["authorization: Bearer second"] * 2
    assert _kids(source) == {"a"}


def test_after_close_nothing_is_fetched_and_the_keys_stay(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(jwks(A)) as server:
        source = _started(make_source(jwks_uri=server.url))
        source.close()
        source.close()

        clock.advance(1000)
        time.sleep(0.05)

        assert source.ask() is None
        assert _kids(source) == {"a"}
        assert server.requests == 1


def test_closing_or_stopping_during_a_fetch_releases_who_waits(
    make_source: MakeSource, background: Background, quick: Callable[..., Environment]
) -> None:
    with KeyServer() as server:
        server.mode = Mode.HANG
        patient = quick(deadline_seconds=60)
        closed = make_source(jwks_uri=server.url, environment=patient)
        stopped = make_source(jwks_uri=server.url, environment=patient)
        for source in (closed, stopped):
            source.start()
        until(lambda: server.connections == 2)
        waiting = [closed.ask(), stopped.ask()]

        closed.close()
        background.stop()

        assert [one is not None and one.result(2) for one in waiting] == [None, None]


def test_asking_before_start_or_after_the_background_stopped_is_none_or_ends(
    make_source: MakeSource, background: Background, clock: FakeClock
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        source = make_source(jwks_uri=f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert source.ask() is None
    _started(source)
    background.stop()
    clock.advance(6)

    fetch = source.ask()

    assert fetch is None or fetch.result(1) is None
    assert source.ask() is None
