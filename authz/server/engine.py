"""The interface of a data plane, and the results that a handler can return.

A handler is given a message and a call. It returns the answer, or None and later says `call.reply(answer)`, once, from
any thread; where its protocol wants it, it returns a Status. It never raises. http2_engine.py and grpc_engine.py both
carry the same handlers and pass the same tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

MAX_IN_FLIGHT = 1024
"""The most calls without a response. At about 100 us each, later calls would miss Envoy's 200 ms deadline."""


class Call(Protocol):
    """One call of the data plane."""

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline."""

    def reply(self, message: bytes) -> None:
        """Send a deferred response, once. Safe to call from any thread."""

    def traceparent(self) -> str:
        """The caller's `traceparent` (W3C Trace Context), unvalidated. Empty if it sent none."""


@dataclass(frozen=True, slots=True)
class Status:
    """A gRPC status other than OK, instead of a message."""

    code: int
    message: str


UNIMPLEMENTED = Status(12, "method not found")
UNAVAILABLE = Status(14, "shutting down")
DEADLINE_EXCEEDED = Status(4, "")

Handler = Callable[[bytes, Call], bytes | Status | None]


@dataclass(frozen=True, slots=True)
class Service:
    """The methods by name, and the handler for calls above the limit."""

    methods: Mapping[str, Handler]
    """By full name: `/package.Service/Method`."""
    overloaded: Callable[[Call], bytes]


class Engine(Protocol):
    """A data plane on one address."""

    @property
    def in_flight(self) -> int:
        """The number of accepted calls without a response."""

    @property
    def turns(self) -> int:
        """Grows at least every second while the engine is alive."""

    @property
    def ended(self) -> Mapping[str, int]:
        """Connections and streams that this side ended, by cause. Empty if the engine does not count them."""

    def serve(self) -> None:
        """Serve until `stop` is called, then finish the calls in flight."""

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls, and let calls in flight finish within the time. Safe from any thread."""


class CannotListen(Exception):
    """The address cannot be bound. The message says why and how to fix it."""
