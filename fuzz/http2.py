"""Any bytes after the preface of HTTP/2: no exception, bounded state, bounded output, and bounded time for each byte.

The first two bytes choose how the rest is cut into reads, and whether answers are given at once, late or never.
"""

from __future__ import annotations

import time

from authz.http2 import frames, limits
from authz.http2.connection import Connection
from authz.http2.limits import Shared
from authz.http2.request_head import RequestHead
from authz.http2.stream import CLOSED, RECEIVED, Request

MAX_BYTES = 40_000

MICROSECONDS_PER_BYTE = 60.0
"""CPU for one byte that a stranger sends, three times what was seen at most under the fuzzer's own instrumentation.
A header field of HPACK may be one byte, and decoding one takes some microseconds."""

FREE_SECONDS = 0.02
"""What an input of any length may take: the interpreter's own pauses."""

OUTPUT_PER_BYTE = 24
FREE_OUTPUT_BYTES = 4096
"""What is said for each byte that is heard: an answer of some 100 bytes for the 18 of a request without a message."""


def literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


_BLOCK = b"\x20\x83\x86" + b"".join(
    (
        literal(b":path", b"/t.T/Echo"),
        literal(b"content-type", b"application/grpc"),
        literal(b"te", b"trailers"),
    )
)
_HELLO = frames.settings({}) + frames.frame(frames.SETTINGS, frames.ACK, 0)
_CALL = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, _BLOCK) + frames.frame(
    frames.DATA, frames.END_STREAM, 1, b"\0\0\0\0\x03abc"
)
SEEDS = [
    b"\x00\x00" + _HELLO + _CALL,
    b"\x07\x01" + _HELLO + _CALL + frames.rst_stream(1, frames.ErrorCode.CANCEL),
    b"\x00\x02" + frames.settings({4: 1, 1: 0}) + _CALL + frames.window_update(1, 9) + frames.window_update(0, 9),
    b"\x00\x00"
    + _HELLO
    + frames.frame(frames.HEADERS, 0, 1, _BLOCK[:9])
    + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, _BLOCK[9:])
    + frames.frame(frames.DATA, frames.PADDED, 1, b"\x02\0\0\0\0\x03??")
    + frames.frame(frames.DATA, frames.END_STREAM, 1, b"abc"),
    b"\x00\x00" + _HELLO + frames.frame(frames.PING, 0, 0, bytes(8)) + frames.goaway(0, frames.ErrorCode.NO_ERROR),
    b"\x00\x00" + _HELLO + frames.frame(frames.HEADERS, 5, 1, b"\x20" + b"\x82" * 300),
]


def one_input(data: bytes) -> None:
    first, second = data[:2] if len(data) > 1 else (0, 0)
    text = frames.PREFACE + data[2:]
    size, reply_to = first % 64 or len(text), second % 3
    shared, remembered = Shared(), dict[bytes, RequestHead]()
    connection = Connection(shared, remembered, 0.0)
    open_calls: list[Request] = []
    said, began = len(connection.data_to_send()), time.process_time()
    for at in range(0, len(text), size):
        _take_up(connection, connection.receive_data(text[at : at + size], 0.0), open_calls, reply_to)
        said += len(connection.data_to_send())
    if reply_to == 1:
        for request in open_calls:
            connection.send_message(request, b"late")
    _take_up(connection, connection.expire(2.0), open_calls, reply_to)
    used = time.process_time() - began
    _require_bounds(connection, shared, remembered)
    assert said <= FREE_OUTPUT_BYTES + OUTPUT_PER_BYTE * len(text), said
    assert used <= FREE_SECONDS + MICROSECONDS_PER_BYTE * 1e-6 * len(text), f"{used * 1e6 / len(text):.1f} us a byte"
    for request in connection.terminate():
        assert request.state == CLOSED
    assert shared.unfinished_calls == 0
    assert shared.unfinished_bytes == 0
    assert connection.is_idle


def _take_up(connection: Connection, requests: list[Request], open_calls: list[Request], reply_to: int) -> None:
    for request in requests:
        assert request.state in {RECEIVED, CLOSED}
        if request.state == RECEIVED:
            assert request not in open_calls, "handed over twice"
            open_calls.append(request)
            if reply_to == 0:
                connection.send_message(request, request.message)


def _require_bounds(connection: Connection, shared: Shared, remembered: dict[bytes, RequestHead]) -> None:
    assert 0 <= shared.unfinished_bytes <= limits.CONNECTION_WINDOW
    assert 0 <= shared.unfinished_calls <= limits.MAX_STREAMS_PER_CONNECTION
    assert len(remembered) <= limits.MAX_REMEMBERED_BLOCKS
    assert connection.is_closed or not connection.is_drained
