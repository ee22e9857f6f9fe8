"""Workers that go away under load, through real Envoy with the shipped retries and health checks."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from tests.fakes.sidecar import SECONDS
from tests.fakes.waiting import until
from tests.faults.proxied import Load, Proxied, proxied, proxied_bootstrap

REQUESTS = {"h2": 10_000, "grpc": 4_000}


@pytest.mark.parametrize("engine", REQUESTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_one_of_two_workers_goes_away_and_no_request_is_lost(engine: str, number: int) -> None:
    with proxied("--engine", engine) as one:
        load = Load(one.port, one.token, requests=REQUESTS[engine])
        with load.running():
            os.kill(one.sidecar.workers()[0], number)
        print(f"{engine}: {dict(load.statuses)}")

        assert load.statuses == {200: load.requests}
        until(one.sidecar.is_ready, SECONDS)


@pytest.mark.parametrize(("token", "usual"), [(None, 200), ("a.b.c", 401)])
def test_without_retries_a_killed_worker_costs_requests_until_envoy_notices_and_lets_none_through(
    token: str | None, usual: int
) -> None:
    """Why the shipped file has retries."""
    with proxied(retry=False) as one:
        load = Load(one.port, token or one.token, requests=4000, usual=usual)
        with load.running():
            os.kill(one.sidecar.workers()[0], signal.SIGKILL)
        print(f"without retries: {dict(load.statuses)}")

        assert set(load.statuses) <= {usual, 503}
        assert load.statuses[usual] > 2000
        until(lambda: one.status() == 200, SECONDS)


@pytest.mark.parametrize("engine", REQUESTS)
def test_reloads_under_load_lose_no_request(engine: str) -> None:
    with proxied("--engine", engine) as one:
        load = Load(one.port, one.token, requests=REQUESTS[engine])
        with load.running():
            for count in range(2, 5):
                configuration = proxied_bootstrap(one.sidecar.directory, one.port, one.admin)
                configuration["node"]["metadata"]["authz"]["policies"][f"more-{count}"] = {}
                one.sidecar.write(configuration)
                until(partial(has_read, one, count), SECONDS)

        assert load.statuses == {200: load.requests}


def has_read(one: Proxied, files: int) -> bool:
    return one.sidecar.metrics()['authz_config_reloads_total{result="success"}'] == files


def test_an_envoy_that_stops_and_starts_finds_the_workers_again() -> None:
    with proxied() as one:
        for _ in range(2):
            one.envoy.stop()
            assert one.status() == 0
            one.start_envoy()

        load = Load(one.port, one.token, requests=1600)
        with load.running():
            pass
        assert load.statuses == {200: 1600}


def test_a_sidecar_that_stops_and_starts_is_found_again() -> None:
    """Envoy refuses without a worker, and forwards again with one."""
    with proxied() as one:
        assert one.sidecar.end() == 0
        assert one.status() == 503

        one.restart_sidecar()

        until(lambda: one.status() == 200, SECONDS)
