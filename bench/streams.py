"""A small gRPC client for checks that differ from each other, which h2load cannot send.

It speaks HTTP/2 (RFC 9113) itself: the same few frames over and over, their variable parts filled in. A check costs it
some 10 us, so it keeps a Python server busy from one thread. If it shares the cores with the server, look at the
server's CPU time and not at the rate.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authz.server.methods import CHECK_METHOD

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
MAX_FRAME = 16_384
FIRST_WINDOW = 65_535
WIDE_OPEN = (0x7FFF_FFFF - FIRST_WINDOW).to_bytes(4, "big")
PATIENCE_SECONDS = 10.0


class Broken(Exception):
    """The server did not respond like a gRPC server. The message contains its output."""


@dataclass
class Counts:
    """The responses."""

    allowed: int = 0
    refused: int = 0


def send_checks(
    path: Path, messages: Iterator[bytes], seconds: float, connections: int = 2, streams: int = 16
) -> Counts:
    """Send messages for so long, or until there are no more; each stream that ends makes room for the next."""
    counts = Counts()
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        lines = [_Line(path, messages, counts, streams) for _ in range(connections)]
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.fill()
        while any(line.open_streams or not line.is_done for line in lines):
            ready = selector.select(PATIENCE_SECONDS)
            if not ready:
                raise Broken("no answer any more")
            if time.monotonic() > end:
                for line in lines:
                    line.is_done = True
            for key, _events in ready:
                key.data.on_bytes()
        for line in lines:
            line.socket.close()
    return counts


class _Line:
    """One connection."""

    def __init__(self, path: Path, messages: Iterator[bytes], counts: Counts, streams: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(PATIENCE_SECONDS)
        self.open_streams = 0
        self.is_done = False
        self._messages = messages
        self._counts = counts
        self._streams = streams
        self._next_stream = 1
        self._window = FIRST_WINDOW
        self._received = b""
        opening = _frame(SETTINGS, 0, 0, b"\x00\x04" + (0x7FFF_FFFF).to_bytes(4, "big"))
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + opening + _frame(WINDOW_UPDATE, 0, 0, WIDE_OPEN))

    def fill(self) -> None:
        """Open as many streams as may be open."""
        frames = []
        while not self.is_done and self.open_streams < self._streams and self._window > 2 * MAX_FRAME:
            message = next(self._messages, None)
            if message is None:
                self.is_done = True
                break
            frames.append(self._request(b"\0" + len(message).to_bytes(4, "big") + message))
        if frames:
            self.socket.sendall(b"".join(frames))

    def _request(self, body: bytes) -> bytes:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self.open_streams += 1
        self._window -= len(body)
        head = _frame(HEADERS, END_HEADERS, stream, _HEADER_BLOCK)
        if len(body) <= MAX_FRAME:
            return head + _frame(DATA, END_STREAM, stream, body)
        return head + _frame(DATA, 0, stream, body[:MAX_FRAME]) + _frame(DATA, END_STREAM, stream, body[MAX_FRAME:])

    def on_bytes(self) -> None:
        """Process received data, and send more requests."""
        data = self.socket.recv(262_144)
        if not data:
            raise Broken("the server closed the connection")
        data = self._received + data
        at = 0
        while len(data) - at >= 9:
            length = int.from_bytes(data[at : at + 3], "big")
            if len(data) - at < 9 + length:
                break
            stream = int.from_bytes(data[at + 5 : at + 9], "big")
            self._on_frame(data[at + 3], data[at + 4], stream, data[at + 9 : at + 9 + length])
            at += 9 + length
        self._received = data[at:]
        self.fill()

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:  # an answer: gRPC's five bytes, then `status`; an allow's is empty, for OK is code 0
            if payload[5:7] == b"\x0a\x00":
                self._counts.allowed += 1
            else:
                self._counts.refused += 1
        elif kind == HEADERS and flags & END_STREAM:
            self.open_streams -= 1
        elif kind == WINDOW_UPDATE:
            if stream == 0:  # those of streams are not needed: one message fits into a window
                self._window += int.from_bytes(payload, "big")
        elif kind in {SETTINGS, PING} and not flags & ACK:
            self.socket.sendall(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind in {RST_STREAM, GOAWAY}:
            raise Broken(f"frame of type {kind}: {payload!r:.80}")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return b"%b%c%c%b%b" % (len(payload).to_bytes(3, "big"), kind, flags, stream.to_bytes(4, "big"), payload)


def _literal(name: str, value: str) -> bytes:
    """RFC 7541 section 6.2.2: a header field without indexing, so that no state has to be kept."""
    return b"\x00%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())


_HEADER_BLOCK = b"\x20" + b"".join(  # a table of size 0, which a server may demand to hear (RFC 9113 section 4.3.1)
    _literal(name, value)
    for name, value in {
        ":method": "POST",
        ":scheme": "http",
        ":path": CHECK_METHOD,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }.items()
)
