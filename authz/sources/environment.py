"""The replaceable dependencies of a source: clocks, random numbers, name lookup and time limits.

Production uses the defaults. Tests replace some of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from authz.sources.response_facts import Observe, ignore

COOL_DOWN_SECONDS = 5.0
"""Minimum time between the starts of two fetches of an issuer, also after a failure. A flood of tokens with invented
key ids does not load the issuer, and a rotated key is accepted within this time."""

DEADLINE_SECONDS = 5.0
"""Deadline of one fetch: lookup, connect, TLS, discovery and JWKS together."""

FILE_POLL_SECONDS = 1.0
"""Interval of checking `jwks_file`. Polling works on every file system and through ConfigMap symlinks."""

Lookup = Callable[[str, int], list[str]]
"""Returns IP addresses of a host name, best first. Blocks. Raises OSError."""


class Clock(Protocol):
    """Time, in seconds."""

    def monotonic(self) -> float:
        """Return the time for ages and delays. It never jumps."""

    def wall(self) -> float:
        """Return seconds since 1970, for reports."""

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after this many seconds of monotonic time."""


class SystemClock:
    """The system clocks."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970 of the system clock."""
        return time.time()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after this many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def look_up(host: str, port: int) -> list[str]:
    """Call the system's resolver. Raises OSError (socket.gaierror), or UnicodeError for an invalid label."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Environment:
    """The replaceable dependencies, with the production defaults."""

    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random
    """Returns a number from 0 to 1, for jitter."""
    look_up: Lookup = look_up
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Environment variables, for `proxy: environment`."""
    observe: Observe = ignore
    cool_down_seconds: float = COOL_DOWN_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    file_poll_seconds: float = FILE_POLL_SECONDS
