"""A conversation with the protocol object, frame by frame and without a socket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hpack import Decoder

from authz.http2 import frames
from authz.http2.connection import Connection
from authz.http2.frames import ErrorCode, frame
from authz.http2.limits import CAUSES, TABLE_SIZE, Shared
from authz.http2.request_head import RequestHead
from authz.http2.stream import Request

CALL = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/t.T/Echo"),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)
END = frames.END_STREAM
ALL = frames.END_HEADERS
SETTINGS = frames.settings({})
SETTINGS_ACK = frame(frames.SETTINGS, frames.ACK, 0)
ELSEWHERE = 7
"""Ends of other connections of the server, by cause."""


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> ErrorCode:
        """The error in a RST_STREAM or GOAWAY frame."""
        at = 4 if self.kind == frames.GOAWAY else 0
        return ErrorCode(int.from_bytes(self.payload[at : at + 4], "big"))


def literal(name: bytes, value: bytes) -> bytes:
    """RFC 7541 section 6.2.2, for names and values below 127 bytes."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def block(fields: Iterable[tuple[bytes, bytes]] = CALL, **changes: str) -> bytes:
    """A header block that says that the table is empty. `path="x"` changes the value of `:path`, `te=""` removes it."""
    told = {name.replace("_", "-").encode(): value.encode() for name, value in changes.items()}
    told = {(b":" + name if (b":" + name) in dict(fields) else name): value for name, value in told.items()}
    kept = [(name, told.pop(name, value)) for name, value in fields]
    return b"\x20" + b"".join(literal(name, value) for name, value in [*kept, *told.items()] if value)


def headers(stream_id: int = 1, payload: bytes | None = None, flags: int = ALL) -> bytes:
    return frame(frames.HEADERS, flags, stream_id, block() if payload is None else payload)


def data(stream_id: int, payload: bytes, flags: int = END) -> bytes:
    return frame(frames.DATA, flags, stream_id, payload)


def message(text: bytes) -> bytes:
    """With gRPC's prefix."""
    return b"\0" + len(text).to_bytes(4, "big") + text


def call(stream_id: int = 1, text: bytes = b"abc") -> bytes:
    return headers(stream_id) + data(stream_id, message(text))


class Talk:
    """Both sides of one connection; the peer has said hello, and has acknowledged our settings."""

    def __init__(
        self, *, hello: bytes = frames.PREFACE + SETTINGS + SETTINGS_ACK, table_size: int = TABLE_SIZE
    ) -> None:
        self.shared = Shared()
        self.shared.ended.update(dict.fromkeys(CAUSES, ELSEWHERE))
        self.remembered: dict[bytes, RequestHead] = {}
        self.connection = Connection(self.shared, self.remembered, 0.0, table_size)
        self.greeting = self.said()
        self.decoder = Decoder()
        if hello:
            self.send(hello)
            self.said()

    def send(self, *parts: bytes, now: float = 0.0) -> list[Request]:
        return self.connection.receive_data(b"".join(parts), now)

    @property
    def ended(self) -> dict[str, int]:
        """How often this connection counted each cause."""
        return {cause: count - ELSEWHERE for cause, count in self.shared.ended.items() if count != ELSEWHERE}

    def said(self) -> list[Frame]:
        """The frames since the last look."""
        raw, at, found = self.connection.data_to_send(), 0, []
        while at < len(raw):
            word, flags, stream_id = frames.HEAD.unpack_from(raw, at)
            end = at + frames.HEAD_BYTES + (word >> 8)
            found.append(Frame(word & 0xFF, flags, stream_id, raw[at + frames.HEAD_BYTES : end]))
            at = end
        return found

    def fields(self, one: Frame) -> dict[bytes, bytes]:
        """The header list of a HEADERS frame."""
        return {bytes(name): bytes(value) for name, value in self.decoder.decode(one.payload, raw=True)}

    def answer(self) -> dict[bytes, bytes]:
        """The header list of the one response that ends with its headers, RST_STREAM after it left out."""
        (one,) = [one for one in self.said() if one.kind == frames.HEADERS]
        assert one.flags & END
        return self.fields(one)
