"""The state of a connection, and its control frames: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM."""

from __future__ import annotations

from collections import deque
from itertools import islice

from authz.http2 import frames, limits
from authz.http2.frames import ConnectionFault, ErrorCode, StreamFault
from authz.http2.header_blocks import HeaderBlocks
from authz.http2.limits import Shared
from authz.http2.outbox import Outbox
from authz.http2.request_head import RequestHead
from authz.http2.responses import Response
from authz.http2.stream import CLOSED, RECEIVED, RECEIVING, Request

_DRAIN_PING = b"draining"
"""If the peer acknowledges this PING, it has read the GOAWAY before it (RFC 9113 section 6.8)."""

_SETTINGS_ACK = frames.frame(frames.SETTINGS, frames.ACK, 0)
_MAX_IGNORED = 2 * limits.MAX_STREAMS_PER_CONNECTION
_MAX_SKIPPED = 64


def _greeting(table_size: int) -> bytes:
    """The server's preface (RFC 9113 section 3.4), and the WINDOW_UPDATE that opens the connection's window."""
    values = {
        frames.HEADER_TABLE_SIZE: table_size,
        frames.MAX_CONCURRENT_STREAMS: limits.MAX_STREAMS_PER_CONNECTION,
        frames.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: limits.MAX_HEADER_LIST_BYTES,
    }
    return frames.settings(values) + frames.window_update(0, limits.CONNECTION_WINDOW - frames.DEFAULT_WINDOW)


class Control:
    """The state of a connection, changed by control frames here and by requests in connection.py."""

    def __init__(self, shared: Shared, remembered: dict[bytes, RequestHead], now: float, table_size: int) -> None:
        self.is_closed = False
        """Whether this side has ended. Input is ignored, and the remaining output still has to be written."""
        self.is_acknowledged = False
        """Whether the peer has acknowledged the settings."""
        self._shared = shared
        self._blocks = HeaderBlocks(remembered, table_size)
        self._outbox = Outbox()
        self._outbox.frames.append(_greeting(table_size))
        self._events: list[Request] = []
        self._since = self._now = now
        self._expected: int | None = frames.SETTINGS  # the only frame type that is allowed next
        self._streams: dict[int, Request] = {}
        self._last_stream_id = -1
        self._last_served_id = frames.MAX_STREAM_ID
        self._skipped: deque[range] = deque(maxlen=_MAX_SKIPPED)  # closed without having been opened
        self._ignored: dict[int, None] = {}  # ended by this side first: frames in transit are dropped
        self._receive_window = limits.CONNECTION_WINDOW
        self._consumed = 0
        self._answered = 0
        self._spent = dict.fromkeys(limits.CAUSES, 0)
        self._is_draining = False

    @property
    def has_output(self) -> bool:
        """Whether `data_to_send` returns any bytes."""
        return bool(self._outbox.frames)

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open."""
        return not self._streams

    @property
    def is_drained(self) -> bool:
        """Whether the last GOAWAY was sent and no stream is open."""
        return self._last_served_id != frames.MAX_STREAM_ID and not self._streams

    def start_drain(self) -> None:
        """Ask the peer to open no more streams. Streams in transit are still served (RFC 9113 section 6.8)."""
        if not self._is_draining and not self.is_closed:
            self._is_draining = True
            self._outbox.frames.append(frames.goaway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR))
            self._outbox.frames.append(frames.frame(frames.PING, 0, 0, _DRAIN_PING))

    def finish_drain(self) -> None:
        """Refuse every stream that is not open yet."""
        if self._last_served_id == frames.MAX_STREAM_ID and not self.is_closed:
            self._last_served_id = max(self._last_stream_id, 0)
            self._outbox.frames.append(frames.goaway(self._last_served_id, ErrorCode.NO_ERROR))

    def _on_control(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        on_frame = _ON_FRAME.get(kind)
        if on_frame is None:  # RFC 9113 section 5.5: unknown types are ignored
            self._spend("idle_frames", limits.MAX_IDLE_FRAMES)
        else:
            on_frame(self, flags, stream_id, payload)

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        _require(stream_id == 0, "SETTINGS on a stream")
        _require_size(len(payload) == 0 if flags & frames.ACK else len(payload) % 6 == 0)
        self._spend("settings", limits.MAX_SETTINGS)
        if flags & frames.ACK:
            _require(self._expected is None, "an acknowledgement before SETTINGS")
            self.is_acknowledged = True
            self._blocks.acknowledge()
            return
        self._expected = None
        for name, value in frames.SETTING.iter_unpack(payload):
            self._on_setting(name, value)
        self._outbox.frames.append(_SETTINGS_ACK)
        self._send_waiting()

    def _on_setting(self, name: int, value: int) -> None:
        if name == frames.HEADER_TABLE_SIZE:
            self._outbox.table_size_is_due = True
        elif name == frames.ENABLE_PUSH:
            _require(value <= 1, "SETTINGS_ENABLE_PUSH is neither 0 nor 1")
        elif name == frames.INITIAL_WINDOW_SIZE:
            self._outbox.set_initial_window(value, self._streams.values())
        elif name == frames.MAX_FRAME_SIZE:
            in_range = frames.SMALLEST_MAX_FRAME_BYTES <= value <= frames.LARGEST_MAX_FRAME_BYTES
            _require(in_range, "SETTINGS_MAX_FRAME_SIZE is out of range")
            self._outbox.max_frame_bytes = value

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        _require(stream_id == 0, "PING on a stream")
        _require_size(len(payload) == 8)  # noqa: PLR2004 - RFC 9113 section 6.7
        self._spend("pings", limits.MAX_PINGS)
        if not flags & frames.ACK:
            self._outbox.frames.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == _DRAIN_PING and self._is_draining:
            self.finish_drain()

    def _on_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """The peer opens no more streams and waits for its open ones. No state changes."""
        _require(stream_id == 0, "GOAWAY on a stream")
        _require_size(len(payload) >= 8)  # noqa: PLR2004 - RFC 9113 section 6.8
        self._spend("idle_frames", limits.MAX_IDLE_FRAMES)

    def _on_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Ignored (RFC 9113 section 5.3.2)."""
        _require(stream_id != 0, "PRIORITY on the connection")
        _require_size(len(payload) == 5)  # noqa: PLR2004 - RFC 9113 section 6.3
        self._spend("idle_frames", limits.MAX_IDLE_FRAMES)

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client cannot push")

    def _on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        self._require_used(stream_id)
        _require_size(len(payload) == 4)  # noqa: PLR2004 - RFC 9113 section 6.4
        self._spend("resets", limits.MAX_RESETS, per_answer=1)
        self._ignored.pop(stream_id, None)
        request = self._streams.get(stream_id)
        if request is not None:
            self._drop(request)

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        _require_size(len(payload) == 4)  # noqa: PLR2004 - RFC 9113 section 6.9
        self._spend("idle_frames", limits.MAX_IDLE_FRAMES)
        increment = int.from_bytes(payload, "big") & frames.MAX_WINDOW
        if stream_id == 0:
            _require(increment > 0, "WINDOW_UPDATE of nothing")
            self._outbox.widen(increment)
        else:
            self._require_used(stream_id)
            request = self._streams.get(stream_id)
            if request is None:
                return
            if not increment:
                self._reset(stream_id, ErrorCode.PROTOCOL_ERROR)
                return
            try:
                self._outbox.widen_stream(request, increment)
            except StreamFault as fault:
                self._reset(stream_id, fault.code)
                return
        self._send_waiting()

    def _require_used(self, stream_id: int) -> None:
        _require(stream_id & 1 == 1 and stream_id <= self._last_stream_id, "a frame on an idle stream")

    def _send_waiting(self) -> None:
        for request in self._outbox.send_waiting():
            del self._streams[request.stream_id]

    # Ends of streams

    def _reset(self, stream_id: int, code: ErrorCode) -> None:
        """End one stream (RFC 9113 section 5.4.2). Counted like a reset by the peer, because the peer caused it."""
        request = self._streams.get(stream_id)
        if request is not None:
            self._drop(request)
        self._outbox.frames.append(frames.rst_stream(stream_id, code))
        self._ignore(stream_id)
        self._spend("resets", limits.MAX_RESETS, per_answer=1)

    def _end_early(self, request: Request, response: Response) -> None:
        """Respond before the request is complete, and stop the upload with RST_STREAM (RFC 9113 section 8.1)."""
        self._release(request)
        self._outbox.respond(request, response)
        del self._streams[request.stream_id]
        self._outbox.frames.append(frames.rst_stream(request.stream_id, ErrorCode.NO_ERROR))
        self._ignore(request.stream_id)
        self._spend("resets", limits.MAX_RESETS, per_answer=1)

    def _ignore(self, stream_id: int) -> None:
        """Drop frames that the peer sent before it received the end of the stream (RFC 9113 section 5.1)."""
        self._ignored[stream_id] = None
        if len(self._ignored) > _MAX_IGNORED:
            for old in list(islice(self._ignored, _MAX_IGNORED // 2)):
                del self._ignored[old]

    def _drop(self, request: Request) -> None:
        """Remove a stream, and cancel its request if it was returned as an event."""
        if request.state == RECEIVING:
            self._release(request)
        elif request.state == RECEIVED:
            self._events.append(request)
        self._outbox.forget(request)
        request.state = CLOSED
        del self._streams[request.stream_id]

    def _release(self, request: Request) -> None:
        """Release the budget of an unfinished message."""
        size = len(request.body) if request.body else 0
        self._shared.unfinished_calls -= 1
        self._shared.unfinished_bytes -= size
        self._consumed += size
        request.body = None

    def _return_window(self) -> None:
        self._outbox.frames.append(frames.window_update(0, self._consumed))
        self._receive_window += self._consumed
        self._consumed = 0

    def _close(self) -> None:
        self.is_closed = True
        for request in list(self._streams.values()):
            self._drop(request)

    def _spend(self, cause: str, limit: int, per_answer: int = limits.FRAMES_PER_ANSWER) -> None:
        """Count a frame that carries no call. Too many of them per completed call are an attack."""
        self._spent[cause] += 1
        if self._spent[cause] > limit + per_answer * self._answered:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {cause.replace('_', ' ')}", cause)


def _require(holds: bool, text: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, text)


def _require_size(holds: bool) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame of the wrong size")


_ON_FRAME = {
    frames.PRIORITY: Control._on_priority,  # noqa: SLF001 - the same class
    frames.RST_STREAM: Control._on_rst_stream,  # noqa: SLF001
    frames.SETTINGS: Control._on_settings,  # noqa: SLF001
    frames.PUSH_PROMISE: Control._on_push_promise,  # noqa: SLF001
    frames.PING: Control._on_ping,  # noqa: SLF001
    frames.GOAWAY: Control._on_goaway,  # noqa: SLF001
    frames.WINDOW_UPDATE: Control._on_window_update,  # noqa: SLF001
}
