"""One stream: a request is received, returned as an event, and responded to."""

from __future__ import annotations

from authz.http2.request_head import RequestHead

RECEIVING = 0
"""Its message is not complete."""
RECEIVED = 1
"""Returned as an event, without a response yet."""
SENDING = 2
"""Its response waits for the peer's window."""
CLOSED = 3


class Request:
    """A gRPC call. A connection returns it when it is complete, and again in the state CLOSED if it is cancelled."""

    __slots__ = ("body", "head", "message", "received", "since", "state", "stream_id", "trailers", "unsent", "window")

    def __init__(self, stream_id: int, head: RequestHead, since: float) -> None:
        self.stream_id = stream_id
        self.head = head
        self.since = since
        """The time of its first frame; later, the time when its response began to wait."""
        self.state = RECEIVING
        self.message = b""
        """The message without gRPC's prefix, once it is complete."""
        self.body: bytearray | None = None
        """The received part of an incomplete message."""
        self.received = 0
        """Bytes of DATA without padding."""
        self.window = 0
        """The sum of WINDOW_UPDATE increments minus the bytes sent, relative to the peer's initial window."""
        self.unsent: memoryview | None = None
        self.trailers = b""
        """The frames after the last byte of the body."""
