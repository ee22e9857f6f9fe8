"""Output: frames in order, and responses that wait for the peer's flow-control windows (RFC 9113 section 5.2)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from authz.http2.frames import (
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAX_WINDOW,
    SMALLEST_MAX_FRAME_BYTES,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    frame,
)
from authz.http2.responses import GRPC_HEADERS, GRPC_OK, TABLE_SIZE_ZERO, Response
from authz.http2.stream import CLOSED, SENDING, Request

_ID = Struct(">I").pack
_HEADERS_HEAD = frame(HEADERS, END_HEADERS, 0, GRPC_HEADERS)[:5]
_DATA_HEAD = Struct(">IBIBI").pack
_TRAILERS_HEAD = frame(HEADERS, END_HEADERS | END_STREAM, 0, GRPC_OK)[:5]


class Outbox:
    """The sending side of one connection. Header blocks here are under a kilobyte, so one frame holds each."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        """The frames to write, in order."""
        self.initial_window = DEFAULT_WINDOW
        self.max_frame_bytes = SMALLEST_MAX_FRAME_BYTES
        self.table_size_is_due = False
        """Whether the next block must begin with a table size update."""
        self._window = DEFAULT_WINDOW
        self._waiting: dict[int, Request] = {}

    def answer(self, request: Request, message: bytes) -> bool:
        """Queue a message with status OK. Returns whether all of it could be sent."""
        size = len(message) + 5
        if (
            size > self._window
            or size > self.initial_window + request.window
            or size > self.max_frame_bytes
            or self.table_size_is_due
        ):
            data = b"\0" + (size - 5).to_bytes(4, "big") + message
            trailers = frame(HEADERS, END_HEADERS | END_STREAM, request.stream_id, GRPC_OK)
            return self._begin(request, GRPC_HEADERS, data, trailers)
        self._window -= size
        stream_id = _ID(request.stream_id)
        # One allocation for the three frames of nearly every response.
        self.frames.append(
            b"".join(
                (
                    _HEADERS_HEAD,
                    stream_id,
                    GRPC_HEADERS,
                    _DATA_HEAD(size << 8 | DATA, 0, request.stream_id, 0, size - 5),
                    message,
                    _TRAILERS_HEAD,
                    stream_id,
                    GRPC_OK,
                )
            )
        )
        request.state = CLOSED
        return True

    def respond(self, request: Request, response: Response) -> bool:
        """Queue a prepared response. Returns whether all of it could be sent."""
        return self._begin(request, response.block, response.body, b"")

    def _begin(self, request: Request, block: bytes, data: bytes, trailers: bytes) -> bool:
        if self.table_size_is_due:
            block, self.table_size_is_due = TABLE_SIZE_ZERO + block, False
        self.frames.append(frame(HEADERS, END_HEADERS | (0 if data else END_STREAM), request.stream_id, block))
        request.unsent, request.trailers, request.state = memoryview(data), trailers, SENDING
        return self._send_some(request)

    def _send_some(self, request: Request) -> bool:
        """Send as much as the windows allow. Returns whether that ended the stream."""
        unsent = request.unsent or memoryview(b"")
        while unsent:
            size = min(self._window, self.initial_window + request.window, self.max_frame_bytes, len(unsent))
            if size <= 0:
                request.unsent = unsent
                self._waiting[request.stream_id] = request
                return False
            flags = END_STREAM if size == len(unsent) and not request.trailers else 0
            self.frames.append(frame(DATA, flags, request.stream_id, bytes(unsent[:size])))
            self._window -= size
            request.window -= size
            unsent = unsent[size:]
        if request.trailers:
            self.frames.append(request.trailers)
        request.unsent, request.state = None, CLOSED
        self._waiting.pop(request.stream_id, None)
        return True

    def send_waiting(self) -> list[Request]:
        """Continue waiting responses after a window grew. Returns the requests whose responses are now complete."""
        return [request for request in list(self._waiting.values()) if self._send_some(request)]

    def forget(self, request: Request) -> None:
        """Drop the rest of a response."""
        self._waiting.pop(request.stream_id, None)

    def late(self, before: float) -> list[Request]:
        """The requests whose responses have waited since before this time."""
        return [request for request in self._waiting.values() if request.since < before]

    def widen(self, increment: int) -> None:
        """Enlarge the connection's send window."""
        if self._window + increment > MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
        self._window += increment

    def widen_stream(self, request: Request, increment: int) -> None:
        """Enlarge a stream's send window."""
        if self.initial_window + request.window + increment > MAX_WINDOW:
            raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
        request.window += increment

    def set_initial_window(self, size: int, requests: Iterable[Request]) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE, which changes the windows of open streams too (section 6.9.2)."""
        if size > MAX_WINDOW or any(size + request.window > MAX_WINDOW for request in requests):
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too large")
        self.initial_window = size
