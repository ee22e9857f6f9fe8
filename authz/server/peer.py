"""One client of a worker: its socket, its HTTP/2 connection, and its unsent output."""

from __future__ import annotations

import socket
from select import EPOLLIN, EPOLLOUT

from authz.http2.connection import Connection

READ_BYTES = 256 * 1024
"""The most bytes per read: more than a Unix socket's default buffer, so that one read returns a whole burst."""

UNREAD_SECONDS = 10.0
"""Time limit for a client to read its responses, and to close after this side has closed."""


class Peer:
    """If a client does not read its responses, no more requests are read from it (backpressure)."""

    __slots__ = ("connection", "is_ending", "since", "socket", "unsent")

    def __init__(self, accepted: socket.socket, connection: Connection, now: float) -> None:
        self.socket = accepted
        self.connection = connection
        self.since = now
        """The time of the last progress."""
        self.unsent = memoryview(b"")
        self.is_ending = False
        """Whether all output was sent and the client should close."""

    def receive(self, buffer: memoryview) -> bytes | None:
        """Return received bytes, empty if the client has closed, None if there are none yet.

        They come through a buffer of the caller, because `recv` allocates READ_BYTES, whatever arrives: the C library
        then returned the memory to the kernel after every burst, at the price of half a page fault per check.
        """
        try:
            return bytes(buffer[: self.socket.recv_into(buffer)])
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self) -> None:
        """Write as much as the socket accepts. Raises OSError if the client has closed."""
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
        """The epoll events to wait for."""
        return EPOLLOUT if self.unsent else EPOLLIN
