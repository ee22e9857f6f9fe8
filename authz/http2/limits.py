"""How much one peer may take: every bound of the protocol object, with its reason, and the causes that are counted."""

from __future__ import annotations

from collections import Counter

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest message that is read; gRPC's own default. A CheckRequest without a body is at most some 70 KiB."""

MAX_STREAMS_PER_CONNECTION = 512
"""HTTP/2 streams one connection may hold open: half the calls in flight, so that one peer cannot take all."""

STREAM_WINDOW = MAX_MESSAGE_BYTES + 5
"""Flow-control window of a stream: the largest message and gRPC's five bytes, so that no message waits for more."""

CONNECTION_WINDOW = 2 * STREAM_WINDOW
"""Flow-control window of a connection. Bytes count until their message is complete, so this is also the most that one
connection can make the server hold. Two of the largest messages, because less would let one of them stop the others."""

MAX_UNFINISHED_BYTES = 32 * 1024 * 1024
"""Bytes of unfinished messages on all connections together. A worker has some 128 MiB to live in."""

MESSAGE_SECONDS = 0.8
"""From the first frame of a call to the last of its message. Envoy sends both at once; the server looks every tenth of
a second, so that a call without a message ends within one second (CVE-2019-9517, slow writers)."""

TABLE_SIZE = 0
"""HPACK's dynamic table, announced to the peer: with none, equal header blocks mean the same and need no decoding."""

MAX_FRAME_BYTES = 16_384
"""The largest frame that is read: RFC 9113's own smallest bound, which no peer may be denied."""

MAX_HEADER_LIST_BYTES = 16_384
"""Names and values of one header list, 32 bytes extra for each (RFC 9113 section 6.5.2). Envoy sends some 400."""

MAX_HEADER_BLOCK_BYTES = 16_384
"""The same before decoding: HPACK never needs more bytes than the list that it stands for."""

MAX_CONTINUATIONS = 8
"""CONTINUATION frames of one header block, empty ones included (CVE-2024-27316). One frame holds all that is read."""

MAX_REMEMBERED_BLOCKS = 512
MAX_REMEMBERED_BLOCK_BYTES = 1024
"""Header blocks whose meaning is remembered for all connections, and the longest of them: at most a megabyte."""

FRAMES_PER_ANSWER = 8
"""Frames of each kind below that one answered call allows. grpcio sends about two WINDOW_UPDATE for every answer."""

MAX_RESETS = 1024
"""Streams that end by RST_STREAM from either side, beyond one for each call that was answered (CVE-2023-44487,
CVE-2019-9514, CVE-2025-8671). Twice the streams of a connection: an Envoy that times out on all of them twice is no
attacker."""

MAX_PINGS = 256
"""PING frames beyond those that answers allow (CVE-2019-9512). A client that probes its bandwidth sends one per answer
at most."""

MAX_SETTINGS = 64
"""SETTINGS frames beyond those that answers allow (CVE-2019-9515). Peers send one or two in a lifetime."""

MAX_EMPTY_FRAMES = 64
"""DATA frames without a byte and without END_STREAM, beyond those that answers allow (CVE-2019-9518)."""

MAX_IDLE_FRAMES = 4096
"""PRIORITY, WINDOW_UPDATE, GOAWAY and unknown frames beyond those that answers allow (CVE-2019-9511, CVE-2019-9513)."""

SETTINGS_ACK_SECONDS = 10.0
"""For the peer to open the connection and to acknowledge our settings (RFC 9113 section 6.5.3)."""

SEND_SECONDS = 5.0
"""For the peer to open the window that an answer waits for (CVE-2019-9517). Envoy gave up on the call long before."""

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
"""Why a connection or a stream was ended on this side; each has a counter."""


class Shared:
    """What the connections of one server share: the bounds that hold for all of them, and the counters."""

    def __init__(self) -> None:
        self.unfinished_bytes = 0
        """Bytes of messages that are not complete."""
        self.unfinished_calls = 0
        """Calls whose message is not complete."""
        self.ended = Counter(dict.fromkeys(CAUSES, 0))
        """Connections and streams that were ended on this side, by cause."""
