"""The data plane: one thread, one completion queue, gRPC's C core (docs/adr/0006).

It makes the calls that `grpc/_server.py` of grpcio makes, without the thread pool and the bookkeeping around it. Rules
of this file: every batch that was started comes back as one event, with success or without; a call is dropped only
after its last batch came back; after shutdown no new call is asked for; a call is answered at most once, whoever is
first. `loop_fault` in selftest.py tells whether the private calls still behave; where they do not, public.py serves.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from grpc._cython import cygrpc  # type: ignore[attr-defined]

from authz.server.engine import (
    DEADLINE_EXCEEDED,
    MAX_IN_FLIGHT,
    NO_MESSAGE,
    OPTIONS,
    UNAVAILABLE,
    UNIMPLEMENTED,
    CannotListen,
    Handler,
    Service,
    Status,
)

CALLS_ASKED_FOR = MAX_IN_FLIGHT
"""Calls the core may hand over before the loop has asked again. Fewer make it queue a burst inside, unseen: all of it
would be served, most of it after its callers have given up, and none answered as overloaded."""

IDLE_TURN_SECONDS = 1.0
"""The longest the loop sleeps, so that whoever asks sees it turn, and a grace that is over is noticed."""

ANSWERED_TOGETHER = 32
"""Calls that are decided before the first of their answers is sent. Every answer is a write of its own; sent one after
the other they wake the caller once, and deciding one after the other finds the processor's caches warm. More would
only keep the first caller waiting."""

_NO_FLAGS = 0
_SHUTDOWN = object()
_CALL = object()


class LoopCall:
    """One call: received, answered once, forgotten when its last batch has come back."""

    __slots__ = ("_core", "_deadline", "_lock", "_metadata", "answered", "handler")

    def __init__(self, event: Any, handler: Handler, lock: Lock) -> None:
        self._core = event.call
        self._deadline = event.call_details.deadline
        self._metadata = event.invocation_metadata
        self._lock = lock
        self.answered = False
        """Whether the answer was handed to the core."""
        self.handler = handler

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline; infinite where it set none."""
        return float(self._deadline) - time.time()

    def traceparent(self) -> str:
        """The `traceparent` that Envoy sent with the call (W3C Trace Context), empty where it sent none."""
        for name, value in self._metadata:
            if name == "traceparent" and isinstance(value, str):
                return value
        return ""

    def receive(self) -> None:
        """Ask for the request message."""
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self)

    def reply(self, message: bytes) -> None:
        """Answer later, from any thread. Nothing where the call has been answered or given up."""
        self.finish_first(message)

    def finish_first(self, answer: bytes | Status) -> None:
        """Answer, unless somebody else has: a late reply and the end of the loop's patience may meet."""
        with self._lock:
            is_first, self.answered = not self.answered, True
        if is_first:
            self.finish(answer)

    def finish(self, answer: bytes | Status) -> None:
        """Answer with a message and status OK, or with another status. For whoever alone holds the call."""
        self.answered = True
        message: tuple[Any, ...] = ()
        if isinstance(answer, bytes):
            message = (cygrpc.SendMessageOperation(answer, _NO_FLAGS),)
            status = cygrpc.SendStatusFromServerOperation(None, cygrpc.StatusCode.ok, b"", _NO_FLAGS)
        else:
            status = cygrpc.SendStatusFromServerOperation(None, answer.code, answer.message.encode(), _NO_FLAGS)
        head, close = cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS), cygrpc.ReceiveCloseOnServerOperation(0)
        self._core.start_server_batch((head, *message, status, close), self)


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
        self._ready: list[tuple[LoopCall, bytes]] = []  # read, and not handled yet
        self._waiting: set[LoopCall] = set()  # handlers answered None, the reply is still to come
        self._lock = Lock()  # between this thread and those that stop the loop or reply later
        self._started = False
        self._stopping = False
        self._cancel_at = float("inf")
        self._shut_down = False

    def serve(self) -> None:
        """Carry calls until `stop`, then finish those that are in flight."""
        with self._lock:
            self._server.start()
            self._started = True
            if self._stopping:  # before it began; a server that never started cannot be destroyed
                self._server.shutdown(self._queue, _SHUTDOWN)
        for _ in range(CALLS_ASKED_FOR):
            self._ask_for_call()
        while not (self._shut_down and self._asked_for == 0 and self.in_flight == 0):
            self._turn()
        self._server.destroy()

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls; those in flight are cancelled when the grace is over."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            self._cancel_at = time.time() + grace_seconds
            if self._started:
                self._server.shutdown(self._queue, _SHUTDOWN)

    def _turn(self) -> None:
        # All that has arrived is taken up before any of it is handled, so that a burst is seen to be one.
        event = self._queue.poll(0.0 if self._ready else min(self._cancel_at, time.time() + IDLE_TURN_SECONDS))
        self.turns += 1
        tag = event.tag
        if tag is _CALL:
            self._on_call(event)
        elif tag is _SHUTDOWN:
            self._shut_down = True
        elif tag is not None:
            self._on_batch(tag, event)
        else:
            self._handle_ready()
        if self._stopping and time.time() >= self._cancel_at:
            self._cancel()

    def _ask_for_call(self) -> None:
        # Under the lock, for asking a server that another thread is shutting down raises.
        with self._lock:
            if self._stopping:
                return
            self._server.request_call(self._queue, self._queue, _CALL)
        self._asked_for += 1

    def _cancel(self) -> None:
        """The grace is over: end every call, those that wait for a reply included, which no event would bring back."""
        self._cancel_at = float("inf")
        self._server.cancel_all_calls()
        for call in self._waiting:
            call.finish_first(UNAVAILABLE)

    def _on_call(self, event: Any) -> None:
        self._asked_for -= 1
        self._ask_for_call()
        if not event.success:
            return
        self.in_flight += 1
        handler = self._methods.get(event.call_details.method)
        call = LoopCall(event, handler or _nothing, self._lock)
        if handler is None:
            call.finish(UNIMPLEMENTED)
        elif self.in_flight > self._max_in_flight:
            call.finish(self._overloaded(call))
        else:
            call.receive()

    def _on_batch(self, call: LoopCall, event: Any) -> None:
        if call.answered:
            self.in_flight -= 1
            self._waiting.discard(call)
            return
        message = event.batch_operations[0].message()
        if message is None:  # none was sent, or the peer went away
            call.finish(NO_MESSAGE)
        else:
            self._ready.append((call, message))

    def _handle_ready(self) -> None:
        ready, self._ready = self._ready[:ANSWERED_TOGETHER], self._ready[ANSWERED_TOGETHER:]
        answered = []
        for call, message in ready:
            if call.seconds_left() <= 0:  # nobody would read a decision
                call.finish(DEADLINE_EXCEEDED)
                continue
            answer = call.handler(message, call)
            if answer is None:
                self._waiting.add(call)
            else:
                answered.append((call, answer))
        for call, answer in answered:
            call.finish(answer)


def _nothing(_message: bytes, _call: Any) -> None:
    return None
