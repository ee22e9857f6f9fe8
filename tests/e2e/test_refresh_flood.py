"""Strangers with made-up refresh cookies: how often the OAuth2 filter asks the provider is bounded."""

from __future__ import annotations

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from authz.tools.demo.client import HttpClient
from authz.tools.demo.login import log_in
from authz.tools.demo.stack import Stack
from authz.tools.processes.machine import LOOPBACK
from tests.e2e.raw import RawAnswer, send

REQUESTS = 400
BURST, PER_SECOND = 60, 20
"""The token bucket of deploy/envoy.yaml."""


def _counter(stack: Stack, name: str) -> int:
    url = f"http://{LOOPBACK}:{stack.place.admin_port}/stats?filter=^{name}$"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return int(answer.read().decode().rpartition(":")[2] or 0)


def test_made_up_refresh_cookies_cost_the_provider_a_bounded_number_of_calls(stack: Stack) -> None:
    asked = _counter(stack, "cluster.cognito.upstream_rq_total")
    started = time.monotonic()

    def knock(number: int) -> RawAnswer:
        return send(stack.place.home, "/", f"cookie: __Host-session-refresh=made-up-{number}".encode())

    with ThreadPoolExecutor(8) as pool:
        statuses = {answer.status for answer in pool.map(knock, range(REQUESTS))}

    elapsed = time.monotonic() - started
    calls = _counter(stack, "cluster.cognito.upstream_rq_total") - asked
    assert 0 < calls <= BURST + PER_SECOND * (elapsed + 1)
    assert _counter(stack, "token_endpoint.http_local_rate_limit.rate_limited") >= REQUESTS - BURST - PER_SECOND * (
        elapsed + 1
    )
    assert statuses <= {302, 401}


def test_a_person_can_sign_in_again_after_the_flood(stack: Stack) -> None:
    time.sleep(BURST / PER_SECOND)
    browser = HttpClient()

    pages = log_in(browser, f"{stack.place.home}/", stack.pool.staff)

    assert pages[-1].status == 200
