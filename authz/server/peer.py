"""One client of a worker: its socket, its HTTP/2 connection, and what the socket has not taken yet."""

from __future__ import annotations

import socket
from select import EPOLLIN, EPOLLOUT

from authz.http2.connection import Connection

READ_BYTES = 256 * 1024
"""Bytes taken from a socket at once: more than a Unix socket's default buffer, so that a burst is seen as one."""

UNREAD_SECONDS = 10.0
"""For a client to take an answer from the socket, and to close the connection after we did."""


class Peer:
    """A client that does not read is not read: while the socket takes no more, nothing is received from it."""

    __slots__ = ("connection", "is_ending", "since", "socket", "unsent")

    def __init__(self, accepted: socket.socket, connection: Connection, now: float) -> None:
        self.socket = accepted
        self.connection = connection
        self.since = now
        """When something last went through."""
        self.unsent = memoryview(b"")
        self.is_ending = False
        """Whether we have said our last byte and wait for the client to close."""

    def receive(self) -> bytes | None:
        """What has arrived; empty if the client is gone, None if nothing is there yet."""
        try:
            return self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self) -> None:
        """Write what the socket takes. Raises OSError if the client is gone."""
        if not self.unsent:
            self.unsent = memoryview(self.connection.data_to_send())
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
                if not self.unsent and self.connection.has_output:
                    self.unsent = memoryview(self.connection.data_to_send())
        except BlockingIOError:
            return
        if (self.connection.is_closed or self.connection.is_drained) and not self.is_ending:
            self.is_ending = True
            self.socket.shutdown(socket.SHUT_WR)

    @property
    def interest(self) -> int:
        """What to wait for."""
        return EPOLLOUT if self.unsent else EPOLLIN
