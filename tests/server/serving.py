"""An engine on a socket of its own for one test, and a gRPC client on it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from authz.server.engine import Call, Engine, Service, Status
from authz.server.grpc_engine import GrpcEngine
from authz.server.http2_engine import Http2Engine

ENGINES: dict[str, Callable[..., Engine]] = {"h2": Http2Engine, "grpc": GrpcEngine}

ECHO, LATER, JAM, REFUSE = "/t.T/Echo", "/t.T/Later", "/t.T/Jam", "/t.T/Refuse"
SECONDS = 10.0
"""The bound of every wait. Nothing here takes a tenth of it on a quiet machine."""


@dataclass
class Running:
    """One engine in a thread, and what its handlers were given."""

    engine: Engine
    address: str
    thread: threading.Thread
    waiting: list[Call] = field(default_factory=list)
    """Calls of LATER: to be replied to by the test."""
    handled: list[bytes] = field(default_factory=list)
    """Messages that reached a handler."""

    gate: threading.Event = field(default_factory=threading.Event)
    """Handlers of JAM hold their thread until it is set."""

    def channel(self) -> grpc.Channel:
        """A connection of its own, on which the server's settings have arrived: before, it may refuse streams."""
        channel = grpc.insecure_channel(self.address, options=(("grpc.use_local_subchannel_pool", 1),))
        with suppress(grpc.RpcError):  # that is an answer too
            method(channel, "/t.T/Warm")(b"", timeout=SECONDS)
        return channel

    def stop(self, grace_seconds: float = 0.0) -> None:
        self.gate.set()
        self.engine.stop(grace_seconds)
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


def method(channel: grpc.Channel, name: str) -> Any:
    """A unary method of bytes."""
    return channel.unary_unary(name, None, None)


@contextmanager
def running(make: Callable[..., Engine], max_in_flight: int = 1024, address: str = "") -> Iterator[Running]:
    """Serve until the block is left."""
    with tempfile.TemporaryDirectory(prefix="authz-test-") as folder:
        address = address or f"unix:{Path(folder) / 'engine.sock'}"
        waiting: list[Call] = []
        handled: list[bytes] = []
        gate = threading.Event()

        def echo(message: bytes, _call: Call) -> bytes:
            handled.append(message)
            return message[::-1]

        def later(message: bytes, call: Call) -> None:
            handled.append(message)
            waiting.append(call)

        def jam(_message: bytes, _call: Call) -> bytes:
            gate.wait(SECONDS)
            return b""

        def refuse(_message: bytes, _call: Call) -> Status:
            return Status(5, "not here")

        service = Service({ECHO: echo, LATER: later, JAM: jam, REFUSE: refuse}, lambda _call: b"overloaded")
        engine = make(address, service, max_in_flight)
        thread = threading.Thread(target=engine.serve, daemon=True)
        thread.start()
        served = Running(engine, address, thread, waiting, handled, gate)
        try:
            yield served
        finally:
            served.stop()
