"""The server side of one HTTP/2 connection for unary gRPC: bytes in, requests out, responses in, bytes out.

Rules of this file. No input raises: if the peer breaks a rule, the stream or the connection ends (RFC 9113 section
5.4). A request is returned once, when its message is complete. `_streams` contains exactly the open streams. Any other
stream is idle if its number is above `_last_stream_id`, and closed otherwise. The bytes of an unfinished message count
against the connection's window until the message is complete. The time is an argument.
"""

from __future__ import annotations

from struct import Struct

from authz.http2 import limits
from authz.http2.control import Control
from authz.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    MAX_STREAM_ID,
    PADDED,
    PREFACE,
    WITH_PRIORITY,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    goaway,
    unpadded,
    window_update,
)
from authz.http2.grpc_message import PREFIX_BYTES, message_fault
from authz.http2.limits import MAX_FRAME_BYTES, MAX_STREAMS_PER_CONNECTION, Shared
from authz.http2.request_head import RequestHead, require_trailers
from authz.http2.responses import DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, Response, http_response, status_response
from authz.http2.stream import RECEIVED, RECEIVING, Request

_WINDOW_STEP = limits.CONNECTION_WINDOW // 4
"""The window is returned in steps of this size. A WINDOW_UPDATE for every message would be one more frame per call."""

_PREFIX = Struct(">BI").unpack_from
"""gRPC's message prefix: the compression flag and the length."""

_NO_MESSAGE = status_response(DEADLINE_EXCEEDED, "no message came in time")
_NO_ROOM = status_response(RESOURCE_EXHAUSTED, "too many unfinished messages")


class Connection(Control):
    """The server side of one HTTP/2 connection."""

    def __init__(
        self, shared: Shared, remembered: dict[bytes, RequestHead], now: float, table_size: int = limits.TABLE_SIZE
    ) -> None:
        super().__init__(shared, remembered, now, table_size)
        self._buffer = b""
        self._has_preface = False
        self._block = bytearray()  # of a HEADERS frame that CONTINUATION frames complete
        self._block_stream_id = 0
        self._block_flags = 0
        self._continuations = 0

    def receive_data(self, data: bytes, now: float) -> list[Request]:
        """Process bytes from the socket. Returns complete requests, and cancelled ones in the state CLOSED."""
        self._now = now
        events = self._events = []
        if self.is_closed:
            return events
        if self._buffer:
            data = self._buffer + data
        try:
            at = 0 if self._has_preface else self._take_preface(data)
            self._buffer = data[self._take_frames(data, at) :]
            if self._consumed >= _WINDOW_STEP:
                self._return_window()
        except ConnectionFault as fault:
            self.fail(fault)
        return events

    def expire(self, now: float) -> list[Request]:
        """Apply the time limits. Call it every second, and every 0.1 s while `shared.unfinished_calls` is not 0."""
        self._now = now
        events = self._events = []
        try:
            self._expire(now)
        except ConnectionFault as fault:
            self.fail(fault)
        return events

    def _expire(self, now: float) -> None:
        if not self.is_acknowledged and now - self._since > limits.SETTINGS_ACK_SECONDS and not self.is_closed:
            raise ConnectionFault(ErrorCode.SETTINGS_TIMEOUT, "settings were not acknowledged", "settings_timeout")
        for request in [one for one in self._streams.values() if one.state == RECEIVING]:
            if now - request.since > limits.MESSAGE_SECONDS:
                self._shared.ended["no_message"] += 1
                is_call = request.head.response is None
                self._end_early(request, _NO_MESSAGE if is_call else http_response(408, b""))
        for request in self._outbox.late(now - limits.SEND_SECONDS):
            self._shared.ended["unread_answer"] += 1
            self._reset(request.stream_id, ErrorCode.CANCEL)

    def terminate(self) -> list[Request]:
        """Close after the socket was lost. Returns the requests that are cancelled by it."""
        self._events = []
        self._close()
        return self._events

    def fail(self, fault: ConnectionFault) -> None:
        """End the connection with GOAWAY (RFC 9113 section 5.4.1)."""
        self._shared.ended[fault.cause] += 1
        self._close()
        self._outbox.frames.append(goaway(max(self._last_stream_id, 0), fault.code, fault.text))

    def _take_preface(self, data: bytes) -> int:
        """Return the offset of the first frame, 0 while the preface is incomplete."""
        if len(data) < len(PREFACE) and PREFACE.startswith(data):
            return 0
        if not data.startswith(PREFACE):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "this is not HTTP/2")
        self._has_preface = True
        return len(PREFACE)

    def _take_frames(self, data: bytes, at: int) -> int:
        """Process every complete frame. Returns the offset of the first incomplete one."""
        size = len(data) if self._has_preface else 0
        on_data, on_headers, unpack = self._on_data, self._on_headers, HEAD.unpack_from
        while size - at >= HEAD_BYTES:
            word, flags, stream_id = unpack(data, at)
            length = word >> 8
            end = at + HEAD_BYTES + length
            if length > MAX_FRAME_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame too large")
            if end > size:
                break
            payload = data[at + HEAD_BYTES : end]
            at = end
            kind, stream_id = word & 0xFF, stream_id & MAX_STREAM_ID
            if self._expected is not None and kind != self._expected:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "another frame was due")
            if kind == DATA:
                on_data(flags, stream_id, payload)
            elif kind == HEADERS:
                on_headers(flags, stream_id, payload)
            elif kind == CONTINUATION:
                self._on_continuation(flags, stream_id, payload)
            else:
                self._on_control(kind, flags, stream_id, payload)
        return at

    # New requests

    def _on_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that no client opens")
        if flags & (PADDED | WITH_PRIORITY):
            block = unpadded(flags, block)
            if flags & WITH_PRIORITY:
                if len(block) < 5:  # noqa: PLR2004 - RFC 9113 section 6.2: dependency and weight, both ignored
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
                block = block[5:]
        if flags & END_HEADERS:
            self._on_block(flags, stream_id, block)
            return
        self._block, self._block_stream_id, self._block_flags = bytearray(block), stream_id, flags
        self._expected, self._continuations = CONTINUATION, 0

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._expected is None or stream_id != self._block_stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._continuations += 1
        self._block += payload
        if self._continuations > limits.MAX_CONTINUATIONS or len(self._block) > limits.MAX_HEADER_BLOCK_BYTES:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too long", "continuations")
        if flags & END_HEADERS:
            self._expected = None
            self._on_block(self._block_flags, stream_id, bytes(self._block))

    def _on_block(self, flags: int, stream_id: int, block: bytes) -> None:
        if stream_id <= self._last_stream_id:
            self._on_later_block(flags, stream_id, block)
            return
        if stream_id > self._last_stream_id + 2:
            self._skipped.append(range(self._last_stream_id + 2, stream_id))
        self._last_stream_id = stream_id
        head = self._blocks.known.get(block)
        if head is None:
            try:
                head = self._blocks.read(block)
            except StreamFault as fault:
                self._reset(stream_id, fault.code)
                return
        if stream_id > self._last_served_id:
            self._ignore(stream_id)
        elif len(self._streams) >= MAX_STREAMS_PER_CONNECTION:
            self._reset(stream_id, ErrorCode.REFUSED_STREAM)
        else:
            request = self._streams[stream_id] = Request(stream_id, head, self._now)
            self._shared.unfinished_calls += 1
            if flags & END_STREAM:
                self._complete(request)

    def _on_later_block(self, flags: int, stream_id: int, block: bytes) -> None:
        """Process a header block on a stream that is already open: trailers, or a protocol error."""
        fields = self._blocks.decode(block)
        request = self._streams.get(stream_id)
        if request is None:
            if any(stream_id in skipped for skipped in self._skipped):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream number below one that was used")
            if stream_id not in self._ignored:
                raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")
        elif request.state != RECEIVING:
            self._reset(stream_id, ErrorCode.STREAM_CLOSED)
        else:
            try:
                require_trailers(fields)
            except StreamFault as fault:
                self._reset(stream_id, fault.code)
                return
            if flags & END_STREAM:
                self._complete(request)
            else:
                self._reset(stream_id, ErrorCode.PROTOCOL_ERROR)

    # Messages

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more than the connection's window")
        request = self._streams.get(stream_id)
        if request is None or request.state != RECEIVING:
            self._on_stray_data(stream_id, size)
            return
        if flags & PADDED:
            payload = unpadded(flags, payload)
            self._consumed += size - len(payload)
            self._outbox.frames.append(window_update(stream_id, size - len(payload)))
            size = len(payload)
        if flags & END_STREAM and not request.received and size >= PREFIX_BYTES:
            head = request.head
            flag, length = _PREFIX(payload)
            if (
                not flag
                and length == size - PREFIX_BYTES
                and head.response is None
                and (head.content_length is None or head.content_length == size)
            ):  # the whole message in one frame, as nearly all are
                self._consumed += size
                self._shared.unfinished_calls -= 1
                request.message = payload[PREFIX_BYTES:]
                request.state = RECEIVED
                self._events.append(request)
                return
        self._on_part(flags, request, payload)

    def _on_stray_data(self, stream_id: int, size: int) -> None:
        if stream_id > self._last_stream_id or not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on a stream that is not open")
        self._consumed += size
        if stream_id not in self._ignored:
            self._reset(stream_id, ErrorCode.STREAM_CLOSED)

    def _on_part(self, flags: int, request: Request, payload: bytes) -> None:
        """Process DATA that is not a whole message, or belongs to a request that is refused."""
        if not payload and not flags & END_STREAM:
            self._spend("empty_frames", limits.MAX_EMPTY_FRAMES)
        request.received += len(payload)
        if request.head.response is None:
            request.body = request.body or bytearray()
            request.body += payload
            self._shared.unfinished_bytes += len(payload)
        else:
            self._consumed += len(payload)
        declared = request.head.content_length
        if declared is not None and request.received > declared:
            self._reset(request.stream_id, ErrorCode.PROTOCOL_ERROR)
        elif flags & END_STREAM:
            self._complete(request)
        elif request.head.response is not None:
            if request.received > limits.MAX_MESSAGE_BYTES:
                self._end_early(request, http_response(413, b""))
        elif request.body and (fault := message_fault(request.body, is_whole=False)):
            self._end_early(request, fault)
        elif self._shared.unfinished_bytes > limits.MAX_UNFINISHED_BYTES:
            self._shared.ended["unfinished_bytes"] += 1
            self._end_early(request, _NO_ROOM)

    def _complete(self, request: Request) -> None:
        """The request is complete: return it as an event, or respond to it."""
        head, body = request.head, request.body or bytearray()
        if head.content_length not in {None, request.received}:
            self._reset(request.stream_id, ErrorCode.PROTOCOL_ERROR)
            return
        self._release(request)
        response = head.response or message_fault(body, is_whole=True)
        if response is None:
            request.message = bytes(body[PREFIX_BYTES:])
            request.state = RECEIVED
            self._events.append(request)
        else:
            request.state = RECEIVED
            self.respond(request, response)

    # Responses

    def send_message(self, request: Request, message: bytes) -> None:
        """Respond with a message. Does nothing if the request was cancelled."""
        if request.state == RECEIVED:
            self._answered += 1
            self._sent(request, is_sent=self._outbox.answer(request, message))

    def send_status(self, request: Request, code: int, text: str) -> None:
        """Respond with a gRPC status. Does nothing if the request was cancelled."""
        self.respond(request, status_response(code, text))

    def respond(self, request: Request, response: Response) -> None:
        """Respond with a prepared response. Does nothing if the request was cancelled."""
        if request.state == RECEIVED:
            self._answered += 1
            self._sent(request, is_sent=self._outbox.respond(request, response))

    def _sent(self, request: Request, *, is_sent: bool) -> None:
        if is_sent:
            del self._streams[request.stream_id]
        else:
            request.since = self._now

    def data_to_send(self) -> bytes:
        """Return the bytes to write, once."""
        frames = self._outbox.frames
        data = b"".join(frames)
        frames.clear()
        return data
