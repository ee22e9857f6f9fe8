"""What a key source takes from the world besides the endpoint itself: clocks, chance, name lookup, its time limits.

Production uses the defaults; tests put their own in place.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

COOL_DOWN_SECONDS = 5.0
"""At most one fetch per issuer in this time, whoever wants it and however the last one ended. So a flood of tokens with
invented key ids costs the issuer nothing, and a rotated key is accepted within this time."""

DEADLINE_SECONDS = 5.0
"""For one whole fetch: lookup, connect, TLS, discovery and JWKS together."""

FILE_POLL_SECONDS = 1.0
"""How often `jwks_file` is looked at. Polling works on every file system and through ConfigMap symlinks."""

Lookup = Callable[[str, int], list[str]]
"""IP addresses of a host name, best first. Blocks. Raises OSError."""


class Clock(Protocol):
    """Time, in seconds."""

    def monotonic(self) -> float:
        """For ages and delays: never jumps."""

    def wall(self) -> float:
        """For people: seconds since 1970."""

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return once the event is set, or after so many seconds of monotonic time."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, as the machine believes."""
        return time.time()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return once the event is set, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def look_up(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError (socket.gaierror), or UnicodeError for a label that cannot exist."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything replaceable, in one place."""

    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random
    """A number from 0 up to 1, for jitter."""
    look_up: Lookup = look_up
    cool_down_seconds: float = COOL_DOWN_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    file_poll_seconds: float = FILE_POLL_SECONDS
