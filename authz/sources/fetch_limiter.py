"""Limit the fetches of one issuer: one at a time, and one per cool-down.

Request threads call it for every token with an unknown `kid`, so it takes only one short lock and a comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock


class FetchLimiter:
    """Decides whether a fetch may begin. Closed before open() and after close(). Safe from any thread."""

    def __init__(self, cool_down_seconds: float, monotonic: Callable[[], float]) -> None:
        self._cool_down_seconds = cool_down_seconds
        self._monotonic = monotonic
        self._lock = Lock()
        self._is_open = False
        self._opens_at = float("-inf")
        self._under_way: Future[None] | None = None
        self.asked = 0
        """How often join_or_begin() was called."""

    @property
    def under_way(self) -> bool:
        """Whether a fetch is running."""
        return self._under_way is not None

    @property
    def opens_at(self) -> float:
        """The monotonic time from which the next fetch may begin."""
        return self._opens_at

    def open(self) -> None:
        """Allow fetches."""
        with self._lock:
            self._is_open = True

    def close(self) -> None:
        """Allow no more fetches, and release the callers that wait for the running fetch."""
        with self._lock:
            self._is_open = False
        self.end()

    def join_or_begin(self) -> tuple[Future[None] | None, bool]:
        """Return the fetch to wait for, None if the cool-down allows none, and whether it begins with this call."""
        with self._lock:
            self.asked += 1
            if self._under_way is not None:
                return self._under_way, False
            if not self._is_open or self._monotonic() < self._opens_at:
                return None, False
            return self._begin(), True

    def begin(self) -> float:
        """Begin a fetch, or take over the fetch that a request began. Return its start in monotonic time."""
        with self._lock:
            if self._under_way is None:
                self._begin()
            return self._opens_at - self._cool_down_seconds

    def end(self) -> None:
        """End the fetch, successful or not, and release the waiting callers."""
        with self._lock:
            ended, self._under_way = self._under_way, None
        if ended is not None:
            ended.set_result(None)

    def _begin(self) -> Future[None]:
        self._opens_at = self._monotonic() + self._cool_down_seconds
        self._under_way = Future()
        # Many callers share this future. In the running state, a caller that gives up cannot cancel it.
        self._under_way.set_running_or_notify_cancel()
        return self._under_way
