"""HTTP/2 frames by hand (RFC 9113), for what no gRPC client would send."""

from __future__ import annotations

import socket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _RST_STREAM, _SETTINGS = 1, 3, 4
_END_HEADERS = 4
_DATA, _END_STREAM = 0, 1
_CANCEL = 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(index: bytes, value: bytes) -> bytes:
    return index + bytes((len(value),)) + value


_CALL = (
    b"\x20"  # a dynamic table of size 0
    b"\x83\x86"  # :method POST, :scheme http
    + _literal(b"\x04", b"/envoy.service.auth.v3.Authorization/Check")
    + _literal(b"\x01", b"localhost")
    + _literal(b"\x0f\x10", b"application/grpc")
    + _literal(b"\x00\x02te", b"trailers")
)
"""The header block of a Check, in HPACK literals (RFC 7541)."""


def connect(path: str) -> socket.socket:
    """A connection that has said hello."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(path)
    connection.sendall(PREFACE + frame(_SETTINGS, 0, 0))
    return connection


def begin(stream: int) -> bytes:
    """A call whose message does not come."""
    return frame(_HEADERS, _END_HEADERS, stream, _CALL)


def whole(stream: int) -> bytes:
    """A call with an empty message, which is refused."""
    return begin(stream) + frame(_DATA, _END_STREAM, stream, bytes(5))


def reset(stream: int) -> bytes:
    """The end of a call by a client that no longer wants it."""
    return frame(_RST_STREAM, 0, stream, _CANCEL.to_bytes(4, "big"))


def ends_read(connection: socket.socket, wanted: int) -> int:
    """The number of RST_STREAM frames received: the wanted number, or fewer if no more come."""
    data, at, found = b"", 0, 0
    while found < wanted:
        try:
            more = connection.recv(65_536)
        except TimeoutError:
            break
        if not more:
            break
        data += more
        while len(data) - at >= 9 and len(data) - at >= 9 + int.from_bytes(data[at : at + 3], "big"):
            found += data[at + 3] == _RST_STREAM
            at += 9 + int.from_bytes(data[at : at + 3], "big")
    return found


def is_answered(connection: socket.socket) -> bool:
    """Whether the trailers of an answer come before the connection falls silent."""
    data = b""
    while b"grpc-status" not in data:
        more = connection.recv(65_536)
        if not more:
            return False
        data += more
    return True
