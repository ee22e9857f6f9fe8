from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from authz.sources.background import Background
from authz.sources.blocking_worker import BlockingWorker
from tests.fakes.waiting import until


def _blocking_threads() -> int:
    return sum(thread.name == "authz-blocking" for thread in threading.enumerate())


async def _run(worker: BlockingWorker, function: object, seconds: float = 2.0) -> object:
    async with asyncio.timeout(seconds):
        return await worker.run(function)  # type: ignore[arg-type]


def test_the_value_or_the_error_of_the_call_comes_back(background: Background) -> None:
    worker = BlockingWorker()

    assert background.submit(_run(worker, lambda: 42)).result(2) == 42
    with pytest.raises(ZeroDivisionError):
        background.submit(_run(worker, lambda: 1 / 0)).result(2)


def test_a_hung_call_costs_one_thread_however_often_it_is_tried(background: Background) -> None:
    worker, release = BlockingWorker(), threading.Event()
    before = _blocking_threads()

    for _ in range(5):
        with pytest.raises(TimeoutError):
            background.submit(_run(worker, release.wait, seconds=0.03)).result(2)
    hung = _blocking_threads() - before
    release.set()

    assert hung == 1
    until(lambda: _blocking_threads() == before)


def test_a_hung_call_holds_up_its_own_lane_only_and_the_lane_recovers(background: Background) -> None:
    hung, other, release = BlockingWorker(), BlockingWorker(), threading.Event()
    with pytest.raises(TimeoutError):
        background.submit(_run(hung, release.wait, seconds=0.03)).result(2)

    assert background.submit(_run(other, lambda: "on time", seconds=0.5)).result(2) == "on time"

    release.set()
    assert background.submit(_run(hung, lambda: "again")).result(2) == "again"


def test_an_abandoned_call_that_fails_later_is_not_reported_as_forgotten(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    release, before = threading.Event(), _blocking_threads()

    def fail_later() -> None:
        release.wait(5)
        raise ValueError

    with pytest.raises(TimeoutError):
        background.submit(_run(BlockingWorker(), fail_later, seconds=0.03)).result(2)
    release.set()
    until(lambda: _blocking_threads() == before)
    background.submit(asyncio.sleep(0)).result(2)
    gc.collect()

    assert caplog.records == []


def test_a_call_that_ends_after_the_loop_was_closed_ends_quietly() -> None:
    background, release = Background(), threading.Event()
    before = _blocking_threads()
    background.submit(_run(BlockingWorker(), release.wait, seconds=60))
    until(lambda: _blocking_threads() > before)

    background.stop()
    release.set()

    until(lambda: _blocking_threads() == before)
