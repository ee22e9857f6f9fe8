"""The same handlers on grpcio's public server: slower, and sure to work where loop.py's private calls do not."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import grpc

from authz.server.engine import (
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    MAX_STREAMS_PER_CONNECTION,
    CannotListen,
    Handler,
    Service,
)

THREADS = 8
"""Enough that a call which waits for a key does not hold up the others; the lock of the interpreter allows no more."""

LONGEST_WAIT_SECONDS = 30.0


class PublicCall:
    """One call of the public server."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.answer: Future[bytes] = Future()

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline; infinite where it set none."""
        left = self._context.time_remaining()
        return float("inf") if left is None else float(left)

    def trace_id(self) -> str:
        """The trace id of the `traceparent` that Envoy sent with the call (W3C Trace Context)."""
        for name, value in self._context.invocation_metadata():
            if name == "traceparent" and isinstance(value, str):
                return value[3:35]
        return ""

    def reply(self, message: bytes) -> None:
        """Answer later, from any thread."""
        if not self.answer.done():
            self.answer.set_result(message)


class PublicServer:
    """Serves one address until it is stopped, on grpc.server."""

    def __init__(self, address: str, service: Service, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._service = service
        self._max_in_flight = max_in_flight
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.in_flight = 0
        self.turns = 0
        self._server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="check"),
            options=(
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
                ("grpc.so_reuseport", 0),
            ),
        )
        self._server.add_generic_rpc_handlers((_Methods(self, service),))
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {address}") from error

    def serve(self) -> None:
        """Carry calls until `stop`, then finish those that are in flight."""
        self._server.start()
        while not self._stopped.wait(0.2):  # in short steps, so that the main thread runs its signal handlers
            self.turns += 1
        self._server.wait_for_termination(LONGEST_WAIT_SECONDS)

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls; those in flight are cancelled when the grace is over."""
        self._server.stop(grace_seconds)
        self._stopped.set()

    def handle(self, handler: Handler, message: bytes, context: Any) -> bytes:
        """Run one call on a thread of the pool."""
        call = PublicCall(context)
        with self._lock:
            self.in_flight += 1
            is_overloaded = self.in_flight > self._max_in_flight
        try:
            if is_overloaded:
                return self._service.overloaded(call)
            answer = handler(message, call)
            return call.answer.result(min(call.seconds_left(), LONGEST_WAIT_SECONDS)) if answer is None else answer
        except FutureTimeoutError:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "")
            raise
        finally:
            with self._lock:
                self.in_flight -= 1


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic when it runs
    """The method table; what is not in it is UNIMPLEMENTED."""

    def __init__(self, server: PublicServer, service: Service) -> None:
        self._server = server
        self._service = service

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        handler = self._service.methods.get(handler_call_details.method)
        if handler is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda message, context: self._server.handle(handler, message, context)
        )
