"""A clock that only a test moves. Implements authz.sources.environment.Clock."""

from __future__ import annotations

import asyncio
from threading import Lock


class FakeClock:
    """Monotonic and wall time move together with advance(), wall time alone with jump(). Safe from any thread."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._monotonic = 1000.0
        self._wall = wall
        self._lock = Lock()
        self._sleepers: dict[object, tuple[float, asyncio.AbstractEventLoop, asyncio.Event]] = {}

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def jump(self, seconds: float) -> None:
        """The machine's clock was set."""
        self._wall += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake those whose time has come."""
        with self._lock:
            self._monotonic += seconds
            self._wall += seconds
            due = [sleeper for sleeper in self._sleepers.values() if sleeper[0] <= self._monotonic]
        for _, loop, wake in due:
            loop.call_soon_threadsafe(wake.set)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        wake, ticket = asyncio.Event(), object()
        with self._lock:
            until = self._monotonic + seconds
            self._sleepers[ticket] = (until, asyncio.get_running_loop(), wake)
        waits = [asyncio.ensure_future(one.wait()) for one in (wake, event)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            with self._lock:
                del self._sleepers[ticket]
