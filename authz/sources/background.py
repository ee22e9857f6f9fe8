"""One asyncio loop in a daemon thread, for all work outside of requests.

Coroutines must not block the loop. Calls that can block go through blocking_worker.py.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

STOP_SECONDS = 2.0
"""How long stop() waits for the loop to end. The thread is a daemon, so it never delays the process any longer."""

T = TypeVar("T")


class Background:
    """The loop and its thread, from construction to stop(). Create it after a fork, never before."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="authz-background", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run the coroutine on the loop. After stop(), drop it and return a cancelled future. Never raises."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            dropped: Future[T] = Future()
            dropped.cancel()
            return dropped

    def call(self, function: Callable[[], object]) -> bool:
        """Schedule the function on the loop. Return false after stop(). Never raises or blocks."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    def stop(self) -> None:
        """Cancel all coroutines, close the loop and end the thread. Can be called repeatedly."""
        self.call(self._stopping.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._stopping.wait())
