"""What carries calls: the four things a data plane does, and what a handler may answer with.

A handler is given a message and a call. It returns the answer, or None and later says `call.reply(answer)`, once, from
any thread; where its protocol wants it, it returns a Status. It never raises. loop.py and public.py both carry the same
handlers and pass the same tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

MAX_IN_FLIGHT = 1024
"""Calls accepted and not yet answered. At some 100 us each, what is behind them has passed Envoy's 200 ms deadline."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest message that is read; gRPC's own default. A CheckRequest without a body is at most some 70 KiB."""

MAX_STREAMS_PER_CONNECTION = 512
"""HTTP/2 streams one connection may hold open: half the calls in flight, so that one peer cannot take all."""

MAX_PENDING = 65_536
"""Calls that gRPC holds before an engine takes them up. Past its own default of 1000 it refuses streams by chance, and
a refused stream is an error to Envoy, not an answer; what bounds it here is the streams of the connections."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
    ("grpc.server.max_pending_requests", MAX_PENDING),
    ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING),
    ("grpc.so_reuseport", 0),
)
"""Channel arguments of both engines."""


CORE_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {"GRPC_VERBOSITY": "NONE", "GRPC_EXPERIMENTS": "-event_engine_listener"}
)
"""What gRPC's C core reads from the environment of a process that carries calls; an operator's own words win.

Without its event engine the core reads and writes sockets on the thread that polls, as it did for years, instead of
handing every call to threads of its own and back: two thirds of the CPU time, and half of the time a lone call takes
(docs/performance.md). A core that does not know the name any more says so in its log and uses its threads.
"""


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
    """A gRPC status other than OK, in place of an answer."""

    code: int
    message: str


UNIMPLEMENTED = Status(12, "method not found")
NO_MESSAGE = Status(12, "this method takes exactly one message")
UNAVAILABLE = Status(14, "shutting down")
DEADLINE_EXCEEDED = Status(4, "")

Handler = Callable[[bytes, Call], bytes | Status | None]


@dataclass(frozen=True, slots=True)
class Service:
    """The methods that are served, and the answer to a call that is one too many."""

    methods: Mapping[str, Handler]
    """By full name: `/package.Service/Method`."""
    overloaded: Callable[[Call], bytes]


class Engine(Protocol):
    """A data plane on one address."""

    @property
    def in_flight(self) -> int:
        """Calls accepted and not yet answered."""

    @property
    def turns(self) -> int:
        """Grows at least every second while the engine is alive."""

    def serve(self) -> None:
        """Carry calls until `stop`, then finish those that are in flight."""

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls, let those in flight finish within the time. From any thread."""


class CannotListen(Exception):
    """The address cannot be served on. The message says why and what to do."""
