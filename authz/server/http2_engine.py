"""The default data plane: one thread, one epoll, non-blocking sockets, and authz.http2 (docs/adr/0007).

Rules of this file. `serve` owns its thread, and only that thread touches sockets and connections; other threads hand it
replies and the order to stop, and wake it. A call is answered at most once. All that has arrived is taken up before any
of it is handled, so that a burst is seen to be one. After a few answers they are written, so that client and server
work at the same time.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from threading import Lock

from authz.http2.connection import Connection
from authz.http2.frames import ConnectionFault, ErrorCode
from authz.http2.limits import Shared
from authz.http2.request_head import RequestHead
from authz.http2.stream import CLOSED, Request
from authz.server.engine import (
    DEADLINE_EXCEEDED,
    MAX_IN_FLIGHT,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Handler,
    Service,
    Status,
)
from authz.server.listener import ListeningSocket
from authz.server.peer import READ_BYTES, UNREAD_SECONDS, Peer

MAX_CONNECTIONS = 512
"""The most open connections. Envoy opens one per worker thread. Half of the usual limit of 1024 file descriptors."""

FLUSH_AFTER = 8
"""Responses of a burst that are written together. All at once makes client and server take turns, one by one costs a
system call each; measured through Envoy, requests/s against jwt_authn + rbac: all 0.72, one 0.82, four 0.88, eight
0.93."""

TAKE_UP_AFTER = 32
"""Calls handled before the loop polls the sockets again."""

IDLE_TURN_SECONDS = 1.0
"""The longest sleep of the loop, so that `turns` grows and the probe sees a live loop."""

BUSY_TURN_SECONDS = 0.1
"""The longest sleep while messages are unfinished or the loop ends, so that limits of a second hold."""

DRAIN_ACK_SECONDS = 1.0
"""Time limit for a client to acknowledge the GOAWAY."""


class Http2Call:
    """One call, with at most one response."""

    __slots__ = ("_engine", "deadline", "handler", "peer", "request")

    def __init__(self, engine: Http2Engine, peer: Peer, request: Request, handler: Handler) -> None:
        self._engine = engine
        self.peer = peer
        self.request = request
        self.handler = handler
        self.deadline = request.since + request.head.timeout_seconds

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline, infinite if it set none."""
        return self.deadline - time.monotonic()

    def traceparent(self) -> str:
        """The `traceparent` that Envoy sent with the call (W3C Trace Context), empty if it sent none."""
        return self.request.head.traceparent

    def reply(self, message: bytes) -> None:
        """Respond from any thread. Does nothing if the call has a response already or was cancelled."""
        self._engine.reply(self, message)


class Http2Engine:
    """Serves one address until it is stopped."""

    def __init__(
        self,
        address: str,
        service: Service,
        max_in_flight: int = MAX_IN_FLIGHT,
        inherited: ListeningSocket | None = None,
    ) -> None:
        self._methods = dict(service.methods)
        self._overloaded = service.overloaded
        self._max_in_flight = max_in_flight
        self._listener = inherited or ListeningSocket(address)
        self.port = self._listener.port
        self.turns = 0
        self._shared = Shared()
        self._remembered: dict[bytes, RequestHead] = {}
        self._peers: dict[int, Peer] = {}
        self._calls: dict[Request, Http2Call] = {}  # without a response
        self._ready: deque[Http2Call] = deque()  # not yet passed to a handler
        self._late: deque[tuple[Http2Call, bytes]] = deque()  # replies from other threads
        self._to_send: dict[Peer, None] = {}
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = Lock()  # between serve() ending and other threads waking it
        self._has_ended = False
        self._cancel_at = float("inf")
        self._is_draining = False
        self._is_deaf = False  # whether accept() is paused because no file descriptor is free
        self._finish_drain_at = 0.0
        self._look_at = 0.0
        self._epoll.register(self._wake, select.EPOLLIN)
        self._epoll.register(self._listener.socket, select.EPOLLIN)

    @property
    def in_flight(self) -> int:
        """The number of accepted calls without a response, including those without a message."""
        return len(self._calls) + self._shared.unfinished_calls

    @property
    def ended(self) -> dict[str, int]:
        """Connections and streams that this side ended, by cause."""
        return dict(self._shared.ended)

    def serve(self) -> None:
        """Serve until `stop` is called, then finish the calls in flight."""
        while not (self._is_draining and not self._peers):
            self._turn()
        with self._lock:
            self._has_ended = True
            os.close(self._wake)
        self._epoll.close()

    def stop(self, grace_seconds: float) -> None:
        """Accept no more calls, and let calls in flight finish within the time. Safe from any thread."""
        with self._lock:
            if self._cancel_at == float("inf"):
                self._cancel_at = time.monotonic() + grace_seconds
            self._wake_up()

    def reply(self, call: Http2Call, message: bytes) -> None:
        """Queue a response from another thread."""
        with self._lock:
            self._late.append((call, message))
            self._wake_up()

    def _wake_up(self) -> None:
        if not self._has_ended:  # the descriptor number may belong to another file by now
            os.eventfd_write(self._wake, 1)

    # One turn

    def _turn(self) -> None:
        for fd, event in self._epoll.poll(self._patience()):
            peer = self._peers.get(fd)
            if peer is None:
                self._on_other(fd)
            elif event & select.EPOLLOUT:
                self._send(peer)
            else:
                self._receive(peer)
        self.turns += 1
        while self._late:
            call, message = self._late.popleft()
            self._answer(call, message)
        self._handle_ready()
        self._send_all()
        now = time.monotonic()
        if self._cancel_at != float("inf"):
            self._drain(now)
        if now >= self._look_at:
            self._look_at_time(now)

    def _patience(self) -> float:
        if self._ready:
            return 0.0
        return BUSY_TURN_SECONDS if self._shared.unfinished_calls or self._is_draining else IDLE_TURN_SECONDS

    def _on_other(self, fd: int) -> None:
        if fd == self._wake:
            os.eventfd_read(fd)
        elif fd == self._listener.socket.fileno():
            self._accept()

    def _handle_ready(self) -> None:
        ready, calls = self._ready, self._calls
        for number in range(1, min(len(ready), TAKE_UP_AFTER) + 1):
            call = ready.popleft()
            if call.request not in calls:  # cancelled by its client
                continue
            if call.deadline <= time.monotonic():  # the client no longer waits
                self._answer(call, DEADLINE_EXCEEDED)
                continue
            answer = call.handler(call.request.message, call)
            if answer is not None:
                self._answer(call, answer)
            if number % FLUSH_AFTER == 0:
                self._send_all()

    def _answer(self, call: Http2Call, answer: bytes | Status) -> None:
        if self._calls.pop(call.request, None) is None:
            return
        if isinstance(answer, bytes):
            call.peer.connection.send_message(call.request, answer)
        else:
            call.peer.connection.send_status(call.request, answer.code, answer.message)
        self._to_send[call.peer] = None

    # Sockets

    def _accept(self) -> None:
        try:
            accepted = self._listener.accept()
        except OSError:  # no file descriptor is left
            if not self._make_room():
                # Until the next time check: epoll would report it in every turn.
                self._epoll.unregister(self._listener.socket)
                self._is_deaf = True
            return
        if accepted is None:
            return
        if len(self._peers) >= MAX_CONNECTIONS and not self._make_room():
            accepted.close()
            return
        now = time.monotonic()
        peer = Peer(accepted, Connection(self._shared, self._remembered, now), now)
        self._peers[accepted.fileno()] = peer
        self._epoll.register(accepted, peer.interest)
        self._send(peer)

    def _make_room(self) -> bool:
        """Close the connection that was idle for the longest time. One without a finished handshake goes first."""
        idle = [peer for peer in self._peers.values() if peer.connection.is_idle]
        victim = min(idle, key=lambda peer: (peer.connection.is_acknowledged, peer.since), default=None)
        if victim is not None:
            self._shared.ended["connections"] += 1
            self._close(victim)
        return victim is not None

    def _receive(self, peer: Peer) -> None:
        data = peer.receive(self._buffer)
        if data is None:
            return
        if not data:
            self._close(peer)
            return
        if peer.is_ending:
            return
        peer.since = now = time.monotonic()
        connection = peer.connection
        try:
            requests = connection.receive_data(data, now)
        except Exception:  # noqa: BLE001 - a fault of ours ends one connection, never the worker
            requests = self._fail(connection)
        self._take_up(peer, requests)
        if connection.has_output:
            self._to_send[peer] = None

    def _fail(self, connection: Connection) -> list[Request]:
        requests = connection.terminate()
        connection.fail(ConnectionFault(ErrorCode.INTERNAL_ERROR, "internal error", "internal"))
        return requests

    def _take_up(self, peer: Peer, requests: list[Request]) -> None:
        for request in requests:
            if request.state == CLOSED:
                self._calls.pop(request, None)
                continue
            handler = self._methods.get(request.head.path)
            if handler is None:
                peer.connection.send_status(request, UNIMPLEMENTED.code, UNIMPLEMENTED.message)
                continue
            call = Http2Call(self, peer, request, handler)
            if len(self._calls) >= self._max_in_flight:
                peer.connection.send_message(request, self._overloaded(call))
                continue
            self._calls[request] = call
            self._ready.append(call)

    def _send_all(self) -> None:
        to_send = self._to_send
        while to_send:
            self._send(to_send.popitem()[0])

    def _send(self, peer: Peer) -> None:
        if peer.socket.fileno() < 0:
            return
        before = len(peer.unsent)
        try:
            peer.send()
        except OSError:
            self._close(peer)
            return
        if len(peer.unsent) != before:
            peer.since = time.monotonic()
        if bool(peer.unsent) != bool(before):
            self._epoll.modify(peer.socket, peer.interest)

    def _close(self, peer: Peer) -> None:
        if self._peers.pop(peer.socket.fileno(), None) is not None:
            self._take_up(peer, peer.connection.terminate())
            peer.socket.close()

    # Time

    def _look_at_time(self, now: float) -> None:
        """End whatever exceeds its time limit: messages, unread responses, calls past their deadline."""
        self._look_at = now + self._patience()
        if self._is_deaf and not self._is_draining:
            self._epoll.register(self._listener.socket, select.EPOLLIN)
            self._is_deaf = False
        for peer in list(self._peers.values()):
            self._take_up(peer, peer.connection.expire(now))
            if peer.connection.has_output:
                self._to_send[peer] = None
            if now - peer.since > UNREAD_SECONDS and (peer.unsent or peer.is_ending):
                self._shared.ended["unread_socket"] += 1
                self._close(peer)
        for call in [call for call in self._calls.values() if call.deadline <= now]:
            self._answer(call, DEADLINE_EXCEEDED)
        self._send_all()

    def _drain(self, now: float) -> None:
        """Drain: accept no connections, send GOAWAY, and close everything when the grace period ends."""
        if not self._is_draining:
            self._is_draining = True
            self._finish_drain_at = now + DRAIN_ACK_SECONDS
            if not self._is_deaf:  # closing is not enough while another process has the socket too
                self._epoll.unregister(self._listener.socket)
            self._listener.close()
            for peer in self._peers.values():
                peer.connection.start_drain()
                self._to_send[peer] = None
        if now >= self._finish_drain_at or now >= self._cancel_at:
            for peer in self._peers.values():
                peer.connection.finish_drain()
                self._to_send[peer] = None
        if now >= self._cancel_at:
            for call in list(self._calls.values()):
                self._answer(call, UNAVAILABLE)
        self._send_all()
        for peer in [peer for peer in self._peers.values() if now >= self._cancel_at or _has_left(peer)]:
            self._close(peer)


def _has_left(peer: Peer) -> bool:
    """Whether all output was sent and no input is expected."""
    return peer.is_ending and not peer.unsent
