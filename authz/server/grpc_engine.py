"""The same handlers on grpcio's public server: a second opinion in tests, and a fallback that is slower.

One weakness is grpc.server's own: a call whose message never comes holds a thread until its deadline or its end.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any

import grpc

from authz.http2.limits import MAX_MESSAGE_BYTES, MAX_STREAMS_PER_CONNECTION
from authz.server.check_service import MAX_WAITING
from authz.server.engine import (
    DEADLINE_EXCEEDED,
    MAX_IN_FLIGHT,
    UNAVAILABLE,
    CannotListen,
    Handler,
    Service,
    Status,
)

THREADS = 2 * MAX_WAITING + 8
"""A call that waits, for a key or for an issuer's word, holds its thread, so there is one for each that may, and some
for the others. Threads are made when no other is free; the lock of the interpreter allows no more than one to run."""

MAX_PENDING = 65_536
"""Calls that gRPC holds before the engine takes them up. Past its own default of 1000 it refuses streams by chance, and
a refused stream is an error to Envoy, not an answer; what bounds it here is the streams of the connections."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
    ("grpc.server.max_pending_requests", MAX_PENDING),
    ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING),
    ("grpc.so_reuseport", 0),
)
"""Channel arguments."""

LONGEST_WAIT_SECONDS = 30.0
"""The longest wait for a deferred response if the caller sets no deadline."""

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class GrpcCall:
    """One call of the public server."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._answer: Future[bytes] = Future()

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline, infinite if it set none."""
        left = self._context.time_remaining()
        return float("inf") if left is None else float(left)

    def traceparent(self) -> str:
        """The `traceparent` that Envoy sent with the call (W3C Trace Context), empty if it sent none."""
        for name, value in self._context.invocation_metadata():
            if name == "traceparent" and isinstance(value, str):
                return value
        return ""

    def reply(self, message: bytes) -> None:
        """Respond from any thread. Does nothing if the call has a response already or was cancelled."""
        with suppress(InvalidStateError):
            self._answer.set_result(message)

    def wait(self) -> bytes | Status:
        """Return the deferred response, or a status if none came in time or the call has ended."""
        self._context.add_callback(self._answer.cancel)
        try:
            return self._answer.result(min(self.seconds_left(), LONGEST_WAIT_SECONDS))
        except CancelledError:
            return UNAVAILABLE
        except FutureTimeoutError:
            return DEADLINE_EXCEEDED


class CountingPool(ThreadPoolExecutor):
    """A thread pool that knows how much it was given and has not done: running and queued."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="check")
        self._count_lock = threading.Lock()
        self.unfinished = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Count it, and run it when a thread is free."""
        with self._count_lock:
            self.unfinished += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: Future[Any]) -> None:
        with self._count_lock:
            self.unfinished -= 1


class GrpcEngine:
    """Serves one address until it is stopped, on grpc.server."""

    def __init__(self, address: str, service: Service, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._service = service
        self._max_in_flight = max_in_flight
        self._pool = CountingPool(THREADS)
        self._lock = threading.Lock()
        self._started = False
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self.turns = 0
        self._server = grpc.server(self._pool, options=OPTIONS)
        self._server.add_generic_rpc_handlers((_Methods(self, service),))
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {address}") from error

    @property
    def in_flight(self) -> int:
        """The number of accepted calls without a response, including queued ones."""
        return self._pool.unfinished

    @property
    def ended(self) -> dict[str, int]:
        """Nothing: gRPC's core does not say."""
        return {}

    def serve(self) -> None:
        """Serve until `stop` is called, then finish the calls in flight."""
        with self._lock:
            self._started = not self._stopped.is_set()
            if self._started:
                self._server.start()
        while not self._stopped.wait(0.2):  # in short steps, so that the main thread runs its signal handlers
            self.turns += 1
        self._ended.wait()
        self._pool.shutdown(wait=False)

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls; those in flight are cancelled when the grace is over."""
        with self._lock:
            if self._stopped.is_set():
                return
            self._ended = self._server.stop(grace_seconds) if self._started else _over()
            self._stopped.set()

    def handle(self, handler: Handler, message: bytes, context: Any) -> bytes:
        """Run one call on a thread of the pool."""
        call = GrpcCall(context)
        answer = self._answer(handler, message, call)
        if isinstance(answer, bytes):
            return answer
        context.abort(_CODES[answer.code], answer.message)
        return b""  # never reached, for abort raises

    def _answer(self, handler: Handler, message: bytes, call: GrpcCall) -> bytes | Status:
        if call.seconds_left() <= 0:
            return DEADLINE_EXCEEDED
        if self._pool.unfinished > self._max_in_flight:
            # The oldest of too many are shed: the newer ones behind them have more of their time left.
            return self._service.overloaded(call)
        answer = handler(message, call)
        return call.wait() if answer is None else answer


def _over() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic when it runs
    """The method table. Any other method is UNIMPLEMENTED."""

    def __init__(self, server: GrpcEngine, service: Service) -> None:
        self._server = server
        self._service = service

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        handler = self._service.methods.get(handler_call_details.method)
        if handler is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda message, context: self._server.handle(handler, message, context)
        )
