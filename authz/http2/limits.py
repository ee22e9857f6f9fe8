"""The limits of one peer, each with its reason, and the causes that are counted."""

from __future__ import annotations

from collections import Counter

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest accepted message, gRPC's own default. A CheckRequest without a body has at most 70 KiB."""

MAX_STREAMS_PER_CONNECTION = 512
"""Open streams per connection: half of the calls in flight, so that one peer cannot use up all."""

STREAM_WINDOW = MAX_MESSAGE_BYTES + 5
"""Flow-control window of a stream: the largest message and its prefix, so that no message waits for a WINDOW_UPDATE."""

CONNECTION_WINDOW = 2 * STREAM_WINDOW
"""Flow-control window of a connection. Bytes count until their message is complete, so this also bounds the memory of
one connection. Two of the largest messages, because with less one of them would block the others."""

MAX_UNFINISHED_BYTES = 32 * 1024 * 1024
"""Bytes of unfinished messages on all connections together. A worker has a memory limit of about 128 MiB."""

MESSAGE_SECONDS = 0.8
"""From the first frame of a call to the last of its message. Envoy sends both at once; the server looks every tenth of
a second, so that a call without a message ends within one second (CVE-2019-9517, slow writers)."""

TABLE_SIZE = 0
"""The announced size of HPACK's dynamic table. With 0, equal header blocks mean equal headers and can be cached."""

MAX_FRAME_BYTES = 16_384
"""The largest accepted frame: the minimum that RFC 9113 requires."""

MAX_HEADER_LIST_BYTES = 16_384
"""Names and values of one header list, 32 bytes extra for each (RFC 9113 section 6.5.2). Envoy sends some 400."""

MAX_HEADER_BLOCK_BYTES = 16_384
"""The same before decoding. HPACK never needs more bytes than the list it encodes."""

MAX_CONTINUATIONS = 8
"""CONTINUATION frames of one header block, including empty ones (CVE-2024-27316). One frame holds the largest block."""

MAX_REMEMBERED_BLOCKS = 512
MAX_REMEMBERED_BLOCK_BYTES = 1024
"""The most cached header blocks, and the longest one: at most a megabyte for all connections."""

FRAMES_PER_ANSWER = 8
"""How many frames of each kind below one completed call permits. grpcio sends about two WINDOW_UPDATE per response."""

MAX_RESETS = 1024
"""Streams that end by RST_STREAM from either side, beyond one per completed call (CVE-2023-44487,
CVE-2019-9514, CVE-2025-8671). Twice the streams of a connection: an Envoy whose calls all time out twice is not an
attacker."""

MAX_PINGS = 256
"""PING frames beyond the allowance of completed calls (CVE-2019-9512). A client that measures its
bandwidth sends at most one per response."""

MAX_SETTINGS = 64
"""SETTINGS frames beyond the allowance of completed calls (CVE-2019-9515). Peers send one or two in a lifetime."""

MAX_EMPTY_FRAMES = 64
"""Empty DATA frames without END_STREAM, beyond the allowance of completed calls (CVE-2019-9518)."""

MAX_IDLE_FRAMES = 4096
"""PRIORITY, WINDOW_UPDATE, GOAWAY and unknown frames beyond the allowance of completed calls
(CVE-2019-9511, CVE-2019-9513)."""

SETTINGS_ACK_SECONDS = 10.0
"""Time limit for the preface and the acknowledgement of the settings (RFC 9113 section 6.5.3)."""

SEND_SECONDS = 5.0
"""Time limit for the peer to open the window for a response (CVE-2019-9517). Envoy's own deadline is much shorter."""

CAUSES = (
    "protocol",
    "resets",
    "pings",
    "settings",
    "empty_frames",
    "idle_frames",
    "continuations",
    "header_list",
    "no_message",
    "unfinished_bytes",
    "unread_answer",
    "settings_timeout",
    "connections",
    "unread_socket",
    "internal",
)
"""The causes for which this side ends a connection or a stream. Each has a counter."""


class Shared:
    """The shared budgets and counters of all connections of one server."""

    def __init__(self) -> None:
        self.unfinished_bytes = 0
        """Bytes of incomplete messages."""
        self.unfinished_calls = 0
        """Calls with an incomplete message."""
        self.ended = Counter(dict.fromkeys(CAUSES, 0))
        """Connections and streams that this side ended, by cause."""
