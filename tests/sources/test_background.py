from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from authz.sources.background import Background


async def _thread_name() -> str:
    return threading.current_thread().name


async def _sleep_for_ever() -> None:
    await asyncio.sleep(3600)


def test_a_coroutine_runs_in_the_one_daemon_thread(background: Background) -> None:
    names = {background.submit(_thread_name()).result(2) for _ in range(3)}

    assert names == {"authz-background"}
    assert all(thread.daemon for thread in threading.enumerate() if thread.name in names)


def test_stop_cancels_what_runs_and_ends_the_thread() -> None:
    others = set(threading.enumerate())
    background = Background()
    running = background.submit(_sleep_for_ever())
    [its_own] = set(threading.enumerate()) - others

    background.stop()

    with pytest.raises(CancelledError):
        running.result(2)
    assert not its_own.is_alive()


def test_after_stop_work_is_dropped_and_nothing_raises() -> None:
    background = Background()
    background.stop()
    background.stop()

    assert background.submit(_sleep_for_ever()).cancelled()
    assert background.call(lambda: None) is False


def test_a_task_that_raises_does_not_end_the_loop(background: Background) -> None:
    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised without a text
        background.submit(fail()).result(2)

    assert background.submit(_thread_name()).result(2)
