"""Endpoints, logs and clocks that misbehave: the last good keys stay, other issuers notice nothing, nothing raises."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from authz.core.issuers import KeyLocation
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.jwks import FetchResult, JwksSource
from tests.fakes.clock import FakeClock
from tests.fakes.keys import ec_key, jwk, jwks, rsa_key
from tests.fakes.keyserver import DISCOVERY_PATH, KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import ALGORITHMS, Event, MakeSource

GOOD = jwks(jwk(rsa_key(0), "a"))
RSA = jwk(rsa_key(0), "bad")


def _started(source: JwksSource) -> JwksSource:
    source.start()
    until(lambda: source.report().last_result)
    return source


def _ask(source: JwksSource, clock: FakeClock) -> FetchResult | None:
    """How the fetch ends that an unknown kid causes after the cool-down."""
    clock.advance(5.1)
    fetch = source.ask()
    assert fetch is not None
    assert fetch.result(3) is None
    return source.report().last_result


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        (Mode.HANG, FetchResult.TIMEOUT),
        (Mode.DRIP_BODY, FetchResult.TIMEOUT),
        (Mode.ERROR_500, FetchResult.HTTP_STATUS),
        (Mode.EMPTY_204, FetchResult.HTTP_STATUS),
        (Mode.HTML, FetchResult.NO_USABLE_KEY),
        (Mode.REDIRECT, FetchResult.REDIRECT),
        (Mode.BROTLI, FetchResult.MALFORMED),
        (Mode.STREAM, FetchResult.TOO_LARGE),
        (Mode.MANY_KEYS, FetchResult.NO_USABLE_KEY),
        (Mode.NOT_HTTP, FetchResult.MALFORMED),
        (Mode.CLOSE, FetchResult.MALFORMED),
    ],
)
def test_a_bad_answer_is_counted_and_the_last_good_keys_stay(
    make_source: MakeSource, clock: FakeClock, mode: Mode, result: FetchResult
) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url))
        good = source.current
        server.mode = mode

        assert _ask(source, clock) is result

        assert source.current is good is not None
        assert source.report().fetches[result] == 1
        server.mode = Mode.SERVE
        assert _ask(source, clock) is FetchResult.OK


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"keys"',
        b'{"keys":[]}',
        b'{"keys":{}}',
        b'{"keys":[1,null,[],"x",{}]}',
        b'{"keys":[],"keys":[]}',
        b"[" * 100_000,
        b'{"keys":[' + b'{"a":' * 50_000,
        b'{"keys":[NaN]}',
        b'{"keys":[1e999]}',
        b'{"keys":[' + b"9" * 100_000 + b"]}",
        b'\xef\xbb\xbf{"keys":[]}',
        b"\xff\xfe{\x00}\x00",
        b'{"keys":["\\ud800"]}',
        jwks({**RSA, "alg": ["RS256"]}),
        jwks({**RSA, "n": "AQAB" * 90_000}),
        jwks({**RSA, "n": "!!"}),
        jwks({**RSA, "e": "AQ"}),
        jwks({**RSA, "d": "AQAB"}),
        jwks({**RSA, "use": "enc"}),
        jwks({**RSA, "key_ops": ["encrypt"]}),
        jwks({"kty": "oct", "kid": "bad", "k": "c2VjcmV0", "alg": "HS256"}),
        jwks(RSA, RSA),
        jwks(jwk(rsa_key(0, 1024), "bad")),
        jwks({**jwk(ec_key(), "bad"), "x": "AAAA"}),
    ],
    ids=lambda document: repr(document[:24]),
)
def test_a_body_without_a_usable_key_is_counted_and_the_last_good_keys_stay(
    make_source: MakeSource, clock: FakeClock, document: bytes
) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url))
        good = source.current
        server.document = document

        assert _ask(source, clock) is FetchResult.NO_USABLE_KEY

        assert source.current is good is not None


@pytest.mark.parametrize(("distinct", "kept"), [(True, {"b"}), (False, {"a", "b"})])
def test_two_keys_of_one_kid_are_kept_if_the_location_allows_it(
    make_source: MakeSource, *, distinct: bool, kept: set[str]
) -> None:
    with KeyServer(jwks(jwk(rsa_key(0), "a"), jwk(rsa_key(1), "a"), jwk(rsa_key(2), "b"))) as server:
        source = _started(make_source(jwks_uri=server.url, distinct_kids=distinct))

    assert source.current is not None
    assert set(source.current.keys) == kept


def test_a_bad_key_is_dropped_and_named_and_the_good_ones_are_used(
    make_source: MakeSource, events: list[Event]
) -> None:
    with KeyServer(jwks(jwk(rsa_key(1), "a"), {**RSA, "d": "AQAB"})) as server:
        source = _started(make_source(jwks_uri=server.url))
        until(lambda: len(events) == 2)

    assert source.current is not None
    assert set(source.current.keys) == {"a"}
    assert [dropped.key_id for dropped in source.report().dropped] == ["bad"]
    assert events[1][1]["dropped"] == ["'bad': its private part is published"]


@pytest.mark.parametrize(
    ("members", "result"),
    [
        ({"issuer": "https://evil.example.com"}, FetchResult.ISSUER_MISMATCH),
        ({"jwks_uri": "https://evil.example.com/keys"}, FetchResult.ISSUER_MISMATCH),
        ({"jwks_uri": "http://127.0.0.1:1/keys"}, FetchResult.ISSUER_MISMATCH),
        ({"jwks_uri": "http://evil.example.com/keys"}, FetchResult.URL_REFUSED),
        ({"jwks_uri": "file:///etc/passwd"}, FetchResult.URL_REFUSED),
    ],
)
def test_a_lying_discovery_document_is_refused_and_no_keys_are_asked_for(
    make_source: MakeSource, clock: FakeClock, members: Mapping[str, str], result: FetchResult
) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(discovery=server.origin))
        good, requests = source.current, server.requests
        server.discovery = dict(members)

        assert _ask(source, clock) is result

        assert source.current is good is not None
        assert server.requests == requests


def test_the_deadline_is_for_discovery_and_keys_together(
    make_source: MakeSource, events: list[Event], quick: Callable[..., Environment]
) -> None:
    """Discovery takes more than a second of it. With a deadline of their own the keys would outlast a fetch of 6 s."""
    with KeyServer(GOOD) as server, KeyServer() as hanging:
        server.modes, server.mode = {DISCOVERY_PATH: Mode.DRIP_BODY}, Mode.HANG
        hanging.mode = Mode.HANG
        slow = make_source(alias="slow", discovery=server.origin, environment=quick(deadline_seconds=5))
        longer = make_source(alias="longer", jwks_uri=hanging.url, environment=quick(deadline_seconds=6))

        slow.start()
        longer.start()

        until(lambda: len(events) == 2)
        assert server.requests == 1  # discovery had ended, and the keys were asked for
    assert [(fields["issuer"], fields["result"]) for _name, fields in events] == [
        ("slow", "timeout"),
        ("longer", "timeout"),
    ]


def test_a_discovery_document_that_never_ends_is_timeout(make_source: MakeSource) -> None:
    with KeyServer(GOOD) as server:
        server.modes = {DISCOVERY_PATH: Mode.DRIP_BODY}
        server.discovery = {"x": "y"}

        source = _started(make_source(discovery=server.origin))

        assert source.report().last_result is FetchResult.TIMEOUT


def test_http_to_another_host_than_loopback_is_refused_without_a_lookup(
    make_source: MakeSource, quick: Callable[..., Environment]
) -> None:
    looked_up: list[str] = []

    def look_up(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    source = _started(make_source(jwks_uri="http://idp.example.com/keys", environment=quick(look_up=look_up)))

    assert source.report().last_result is FetchResult.URL_REFUSED
    assert looked_up == []


def test_a_hanging_endpoint_delays_no_other_issuer(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment]
) -> None:
    with KeyServer() as hanging, KeyServer(GOOD) as good:
        hanging.mode = Mode.HANG
        stuck = make_source(jwks_uri=hanging.url, environment=quick(deadline_seconds=60))
        other = make_source(jwks_uri=good.url, environment=quick(deadline_seconds=60))
        stuck.start()
        until(lambda: hanging.requests == 1)

        _started(other)
        assert _ask(other, clock) is FetchResult.OK

        assert sum(stuck.report().fetches.values()) == 0


def test_a_hung_name_lookup_is_a_timeout_and_delays_no_other_issuer(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment]
) -> None:
    release = threading.Event()

    def look_up(host: str, _port: int) -> list[str]:
        if host != "good.test":
            release.wait(10)
        return ["127.0.0.1"]

    # Twenty would fill the default executor of asyncio several times over.
    environment = quick(look_up=look_up)
    stuck = [make_source(jwks_uri=f"https://hung{n}.test/", environment=environment) for n in range(20)]
    for source in stuck:
        source.start()
    other = _started(make_source(jwks_uri="https://good.test:9/", environment=environment))

    assert other.report().last_result is FetchResult.CONNECT_FAILED
    until(lambda: all(source.report().last_result is FetchResult.TIMEOUT for source in stuck))
    assert _ask(stuck[0], clock) is FetchResult.TIMEOUT
    release.set()
    until(lambda: not any(thread.name == "authz-blocking" for thread in threading.enumerate()))


@pytest.mark.parametrize("error", [OSError(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_failed_name_lookup_is_counted(
    make_source: MakeSource, quick: Callable[..., Environment], error: Exception
) -> None:
    def look_up(_host: str, _port: int) -> list[str]:
        raise error

    source = _started(make_source(jwks_uri="https://idp.test/", environment=quick(look_up=look_up)))

    assert source.report().last_result is FetchResult.DNS_FAILED


@pytest.mark.parametrize("field", ["ca_file", "bearer_token_file"])
def test_a_missing_file_is_counted_and_nothing_is_sent(make_source: MakeSource, tmp_path: Path, field: str) -> None:
    with KeyServer(GOOD) as server:
        location: dict[str, Any] = {"jwks_uri": server.url, field: str(tmp_path / "missing")}
        source = _started(make_source(**location))

        assert source.report().last_result is FetchResult.FILE_UNREADABLE
        assert server.connections == 0


def test_a_crash_of_our_own_is_counted_logged_without_its_text_and_retried(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment], events: list[Event]
) -> None:
    def look_up(_host: str, _port: int) -> list[str]:
        raise LookupError("secret")

    source = _started(make_source(jwks_uri="https://idp.test/", environment=quick(look_up=look_up)))

    assert _ask(source, clock) is FetchResult.INTERNAL_ERROR
    assert source.report().fetches[FetchResult.INTERNAL_ERROR] == 2
    assert "LookupError at test_jwks_faults.py" in str(events[0][1]["detail"])
    assert "secret" not in str(events)


def test_chance_that_raises_does_not_end_the_refreshing(
    make_source: MakeSource, quick: Callable[..., Environment], events: list[Event]
) -> None:
    def chance() -> float:
        raise ArithmeticError

    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url, environment=quick(chance=chance, cool_down_seconds=0.05)))

        until(lambda: server.requests >= 3)

        assert source.current is not None
        assert any("ArithmeticError" in str(fields.get("detail")) for _, fields in events)


def test_a_log_that_raises_does_not_end_the_refreshing(
    background: Background, still: Environment, clock: FakeClock
) -> None:
    def log(_event: str, _fields: Mapping[str, object]) -> None:
        raise BrokenPipeError

    with KeyServer(GOOD) as server:
        location = KeyLocation(jwks_uri=server.url)
        source = _started(JwksSource("idp", location, ALGORITHMS, background, log=log, environment=still))
        server.mode = Mode.ERROR_500

        assert _ask(source, clock) is FetchResult.HTTP_STATUS
        server.mode = Mode.SERVE
        assert _ask(source, clock) is FetchResult.OK
        source.close()


def test_without_file_descriptors_the_fetch_fails_and_recovers_when_there_are_some(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment]
) -> None:
    with KeyServer(GOOD) as server:
        before = len(_descriptors())
        source = _started(make_source(jwks_uri=server.url, environment=quick(deadline_seconds=2.5)))
        good = source.current
        # Both ends close the connection of the first fetch in their own time. If one did so after _fill(), the next
        # fetch would get a descriptor, the server none for its accept(), and the fetch would end with TIMEOUT.
        until(lambda: len(_descriptors()) <= before)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(_descriptors())
        spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(*spare, highest) + 1, limits[0]), limits[1]))
            spare += _fill()
            result = _ask(source, clock)
        finally:
            for descriptor in spare:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        assert result is FetchResult.CONNECT_FAILED
        assert source.current is good
        assert _ask(source, clock) is FetchResult.OK


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - the names are the numbers


def _fill() -> list[int]:
    """Take every free descriptor."""
    taken = []
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return taken


def test_closed_sources_leave_no_thread_and_no_connection(make_source: MakeSource, background: Background) -> None:
    with KeyServer() as server:
        server.mode = Mode.HANG
        sources = [make_source(jwks_uri=server.url) for _ in range(5)]
        for source in sources:
            source.start()
        until(lambda: server.connections == 5)
        for source in sources:
            source.close()
        background.stop()

        until(lambda: not any(thread.name.startswith("authz-") for thread in threading.enumerate()))
