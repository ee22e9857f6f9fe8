from __future__ import annotations

import asyncio
import time

import pytest

from authz.sources.background import Background
from authz.sources.environment import SystemClock, look_up


async def _wait(event: asyncio.Event, seconds: float) -> float:
    began = time.monotonic()
    await SystemClock().wait(event, seconds)
    return time.monotonic() - began


def test_waiting_ends_when_the_time_is_over(background: Background) -> None:
    assert 0.05 <= background.submit(_wait(asyncio.Event(), 0.05)).result(2) < 1


def test_waiting_ends_when_the_event_is_set(background: Background) -> None:
    event = asyncio.Event()
    waiting = background.submit(_wait(event, 60))

    background.call(event.set)

    assert waiting.result(2) < 2


def test_the_clocks_are_the_machines() -> None:
    assert SystemClock().wall() == pytest.approx(time.time(), abs=1)
    assert SystemClock().monotonic() == pytest.approx(time.monotonic(), abs=1)


def test_a_lookup_gives_addresses() -> None:
    assert look_up("127.0.0.1", 443) == ["127.0.0.1"]
    assert set(look_up("localhost", 443)) <= {"127.0.0.1", "::1"}
