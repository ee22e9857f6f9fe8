"""Run blocking calls (name lookup, files) of one source outside of the shared loop.

Each source has one worker, which makes one call at a time in a daemon thread. A call that hangs forever costs one
thread and delays its source only. The loop's default executor is not suitable: its few threads are shared, so hung
lookups of one issuer would starve all sources, and the interpreter waits for them at exit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class BlockingWorker:
    """Makes one blocking call at a time. Used from one event loop."""

    def __init__(self) -> None:
        self._under_way: asyncio.Future[Any] | None = None

    async def run(self, function: Callable[[], T]) -> T:
        """Return or raise the outcome of the function. Waits first for a running call.

        There is no deadline: the caller cancels. A cancelled call continues in its thread, and its outcome is dropped.
        """
        while self._under_way is not None and not self._under_way.done():
            await asyncio.wait([self._under_way])
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_mark_as_seen)
        threading.Thread(target=_call, args=(function, outcome), name="authz-blocking", daemon=True).start()
        self._under_way = outcome
        return await asyncio.shield(outcome)


def _call(function: Callable[[], T], outcome: asyncio.Future[T]) -> None:
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - raised again in the caller of run()
        _settle(outcome, outcome.set_exception, error)
    else:
        _settle(outcome, outcome.set_result, value)


def _settle(outcome: asyncio.Future[Any], setter: Callable[[Any], None], value: object) -> None:
    with suppress(RuntimeError):  # the loop was closed meanwhile, so no caller is waiting
        outcome.get_loop().call_soon_threadsafe(setter, value)


def _mark_as_seen(outcome: asyncio.Future[Any]) -> None:
    if not outcome.cancelled():
        outcome.exception()
