"""The data plane: one thread, one completion queue, gRPC's C core (docs/adr/0006).

It makes the calls that `grpc/_server.py` of grpcio makes, without the thread pool and the bookkeeping around it. Rules
of this file: every batch that was started comes back as one event, with success or without; a call is dropped only
after its last batch came back; after shutdown no new call is asked for. `self_test` in selftest.py tells whether the
private calls still behave; where they do not, public.py serves instead.
"""

from __future__ import annotations

import time
from typing import Any

from grpc._cython import cygrpc  # type: ignore[attr-defined]

from authz.server.engine import (
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    MAX_STREAMS_PER_CONNECTION,
    CannotListen,
    Handler,
    Service,
)

CALLS_ASKED_FOR = 64
"""Calls the core may hand over before the loop has asked again. Fewer make it queue calls inside, unseen."""

IDLE_TURN_SECONDS = 1.0
"""The longest the loop sleeps, so that whoever asks sees it turn, and a grace that is over is noticed."""

_NO_FLAGS = 0
_SHUTDOWN = object()
_CALL = object()

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
    ("grpc.so_reuseport", 0),
)


class LoopCall:
    """One call: received, answered once, forgotten when its last batch has come back."""

    __slots__ = ("_answered", "_core", "_deadline", "_loop", "_metadata", "handler")

    def __init__(self, loop: Loop, event: Any, handler: Handler) -> None:
        self._loop = loop
        self._core = event.call
        self._deadline = event.call_details.deadline
        self._metadata = event.invocation_metadata
        self._answered = False
        self.handler = handler

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline; infinite where it set none."""
        return float(self._deadline) - time.time()

    def trace_id(self) -> str:
        """The trace id of the `traceparent` that Envoy sent with the call (W3C Trace Context)."""
        for name, value in self._metadata:
            if name == "traceparent" and isinstance(value, str):
                return value[3:35]
        return ""

    def receive(self) -> None:
        """Ask for the request message."""
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self)

    def reply(self, message: bytes) -> None:
        """Answer with a message and status OK."""
        self._finish(cygrpc.StatusCode.ok, b"", cygrpc.SendMessageOperation(message, _NO_FLAGS))

    def refuse(self, code: Any, why: bytes) -> None:
        """End the call with a gRPC status and no message."""
        self._finish(code, why)

    @property
    def answered(self) -> bool:
        """Whether the answer was handed to the core."""
        return self._answered

    def _finish(self, code: Any, why: bytes, *message: Any) -> None:
        self._answered = True
        operations = (
            cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS),
            *message,
            cygrpc.SendStatusFromServerOperation(None, code, why, _NO_FLAGS),
            cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),
        )
        self._core.start_server_batch(operations, self)


class Loop:
    """Serves one address until it is stopped. `serve` owns the thread it is called on."""

    def __init__(self, address: str, service: Service, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._methods = {name.encode("ascii"): handler for name, handler in service.methods.items()}
        self._overloaded = service.overloaded
        self._max_in_flight = max_in_flight
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(OPTIONS, False)  # noqa: FBT003 - not an xDS server
        self._server.register_completion_queue(self._queue)
        self.port = self._server.add_http2_port(address.encode())
        if not self.port:
            raise CannotListen(f"cannot listen on {address}")
        self.in_flight = 0
        self.turns = 0
        self._asked_for = 0
        self._stopping = False
        self._cancel_at = float("inf")
        self._shut_down = False

    def serve(self) -> None:
        """Carry calls until `stop`, then finish those that are in flight."""
        self._server.start()
        for _ in range(CALLS_ASKED_FOR):
            self._ask_for_call()
        while not (self._shut_down and self._asked_for == 0 and self.in_flight == 0):
            event = self._queue.poll(min(self._cancel_at, time.time() + IDLE_TURN_SECONDS))
            self.turns += 1
            if event.completion_type == cygrpc.CompletionType.queue_timeout:
                self._cancel_if_late()
            elif event.tag is _CALL:
                self._on_call(event)
            elif event.tag is _SHUTDOWN:
                self._shut_down = True
            else:
                self._on_batch(event.tag, event)
            # A call object that is kept while the queue is polled again can make the core spin at shutdown.
            del event
        self._server.destroy()

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls; those in flight are cancelled when the grace is over."""
        if self._stopping:
            return
        self._stopping = True
        self._cancel_at = time.time() + grace_seconds
        self._server.shutdown(self._queue, _SHUTDOWN)

    def _ask_for_call(self) -> None:
        self._asked_for += 1
        self._server.request_call(self._queue, self._queue, _CALL)

    def _cancel_if_late(self) -> None:
        if time.time() >= self._cancel_at:
            self._cancel_at = float("inf")
            self._server.cancel_all_calls()

    def _on_call(self, event: Any) -> None:
        self._asked_for -= 1
        if self._stopping:
            if event.success:
                LoopCall(self, event, _nothing).refuse(cygrpc.StatusCode.unavailable, b"shutting down")
                self.in_flight += 1
            return
        self._ask_for_call()
        if not event.success:
            return
        self.in_flight += 1
        handler = self._methods.get(event.call_details.method)
        call = LoopCall(self, event, handler or _nothing)
        if handler is None:
            call.refuse(cygrpc.StatusCode.unimplemented, b"method not found")
        elif self.in_flight > self._max_in_flight:
            call.reply(self._overloaded(call))
        else:
            call.receive()

    def _on_batch(self, call: LoopCall, event: Any) -> None:
        if call.answered:
            self.in_flight -= 1
            return
        message = event.batch_operations[0].message()
        if message is None or call.seconds_left() <= 0:
            # The peer went away or its time is over: nobody would read a decision.
            call.refuse(cygrpc.StatusCode.cancelled, b"")
            return
        answer = call.handler(message, call)
        if answer is not None:
            call.reply(answer)


def _nothing(_message: bytes, _call: Any) -> bytes | None:
    return None
