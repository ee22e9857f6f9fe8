"""Tokens with invented key ids: they cost the issuer one fetch per cool-down, and everybody else nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from authz.sources.environment import Environment
from authz.sources.jwks import FetchResult, JwksSource
from tests.fakes.clock import FakeClock
from tests.fakes.keys import jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import MakeSource

GOOD = jwks(jwk(rsa_key(0), "a"))


def _started(source: JwksSource) -> JwksSource:
    source.start()
    until(lambda: source.report().last_result)
    return source


def _flood(source: JwksSource, times: int = 500) -> int:
    """Ask `times` times; wait for the fetch, if there was one. Return how many had to wait."""
    fetches = [fetch for fetch in (source.ask() for _ in range(times)) if fetch is not None]
    for fetch in fetches:
        fetch.result(3)
    return len(fetches)


@pytest.mark.parametrize("mode", [Mode.SERVE, Mode.ERROR_500, Mode.HANG, Mode.REDIRECT])
def test_a_flood_makes_one_fetch_per_cool_down_whether_the_endpoint_is_up_or_down(
    make_source: MakeSource, clock: FakeClock, mode: Mode
) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url))
        server.mode = mode

        assert _flood(source) == 0  # the first fetch began the cool-down
        for fetches in (2, 3, 4):
            clock.advance(5.1)
            _flood(source)  # begins the fetch, or meets the retry after a failure, which may be due by now
            assert server.requests == fetches
            clock.advance(4.8)
            assert _flood(source) == 0
            assert server.requests == fetches

        assert source.report().unknown_kids == 7 * 500


def test_a_flood_before_the_first_good_fetch_keeps_the_cool_down(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(GOOD) as server:
        server.mode = Mode.ERROR_500
        source = _started(make_source(jwks_uri=server.url))

        for _ in range(4):
            clock.advance(1)
            _flood(source)

        assert server.requests == 1
        assert source.current is None


def test_the_background_fetch_and_the_asked_one_share_the_cool_down(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url, refresh_seconds=300))
        clock.advance(298)
        assert _flood(source) > 0

        clock.advance(3)  # when the refresh would have come
        assert _flood(source) == 0

        assert server.requests == 2


def test_all_who_ask_during_a_fetch_wait_for_that_one(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url))
        server.mode = Mode.HANG
        clock.advance(5.1)

        first, second = source.ask(), source.ask()
        clock.advance(20)  # even past the cool-down there is never a second one at the same time
        third = source.ask()

        assert first is not None
        assert first is second is third
        assert first.result(3) is None
        assert source.report().fetches[FetchResult.TIMEOUT] == 1


def test_asking_never_waits_and_begins_nothing_more_while_the_endpoint_hangs(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment]
) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url, environment=quick(deadline_seconds=60)))
        server.mode = Mode.HANG
        clock.advance(5.1)

        asked = {source.ask() for _ in range(20_000)}

        assert len(asked) == 1
        assert source.report().fetches[FetchResult.TIMEOUT] == 0  # the first is still on its way
        assert source.current is not None


def test_a_flood_from_many_threads_makes_one_fetch(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(GOOD) as server:
        source = _started(make_source(jwks_uri=server.url))
        clock.advance(5.1)

        threads = [threading.Thread(target=_flood, args=(source, 300)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

        assert server.requests == 2
        assert source.report().unknown_kids == 2400


def test_one_issuers_flood_fetches_nothing_from_another(make_source: MakeSource, clock: FakeClock) -> None:
    with KeyServer(GOOD) as flooded, KeyServer(GOOD) as quiet:
        source, _ = _started(make_source(jwks_uri=flooded.url)), _started(make_source(jwks_uri=quiet.url))

        for _ in range(3):
            clock.advance(5.1)
            _flood(source)

        assert (flooded.requests, quiet.requests) == (4, 1)
