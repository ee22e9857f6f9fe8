"""One stream: a request that arrives, is handed over, and is answered."""

from __future__ import annotations

from authz.http2.request_head import RequestHead

RECEIVING = 0
"""Its message is not complete."""
RECEIVED = 1
"""Handed over, and not answered."""
SENDING = 2
"""Its answer waits for the peer's window."""
CLOSED = 3


class Request:
    """A gRPC call. As an event of a connection it is complete; a later event with the same object took it back."""

    __slots__ = ("body", "head", "message", "received", "since", "state", "stream_id", "trailers", "unsent", "window")

    def __init__(self, stream_id: int, head: RequestHead, since: float) -> None:
        self.stream_id = stream_id
        self.head = head
        self.since = since
        """When its first frame came; later, when its answer began to wait."""
        self.state = RECEIVING
        self.message = b""
        """Without gRPC's prefix, once it is complete."""
        self.body: bytearray | None = None
        """What has come of a message that is not complete."""
        self.received = 0
        """Bytes of DATA without padding."""
        self.window = 0
        """What WINDOW_UPDATE added to the peer's initial window, less what was sent."""
        self.unsent: memoryview | None = None
        self.trailers = b""
        """The frames that follow the last byte of the answer."""
