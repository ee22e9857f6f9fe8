"""Without the sidecar nothing passes: neither with a good token nor on a public route."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.demo.stack import Stack, start_sidecar
from tests.e2e.conftest import Tokens
from tests.e2e.handwritten import Handwritten, handwritten_envoy
from tests.fakes.process_tree import descendants, is_alive


@pytest.fixture(scope="module")
def lonely(stack: Stack) -> Iterator[Handwritten]:
    """An Envoy whose sidecar may be killed without harm to other tests."""
    with handwritten_envoy(stack) as started:
        yield started


def _status(lonely: Handwritten, path: str, token: str = "") -> int:
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return HttpClient().ask("GET", f"{lonely.home}{path}", authorization).status


def test_killed_sidecar_closes_every_route_and_a_new_one_opens_them(lonely: Handwritten, bearer: Tokens) -> None:
    assert _status(lonely, "/orders", bearer.granted) == 200

    workers = descendants(lonely.sidecar.process.pid)
    lonely.sidecar.process.kill()
    lonely.sidecar.process.wait()
    # A worker that has lost its supervisor finishes what it has, so for a moment it may still answer.
    _wait_until(lambda: not any(map(is_alive, workers)))
    _wait_until(lambda: _status(lonely, "/orders", bearer.granted) == 403)
    assert _status(lonely, "/public") == 403
    assert _status(lonely, "/orders") == 403

    start_sidecar(lonely.children, lonely.place.configuration, "authz-again")
    _wait_until(lambda: _status(lonely, "/orders", bearer.granted) == 200)
    assert _status(lonely, "/public") == 200


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
