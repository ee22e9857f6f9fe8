"""The connection's receive window: which bytes use it up, and when the peer gets them back (RFC 9113 section 6.9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authz.http2 import frames, limits
from authz.http2.frames import PADDED, ErrorCode, rst_stream
from tests.http2.talk import END, Talk, block, call, data, headers, message

STEP = limits.CONNECTION_WINDOW // 4
FULL = limits.MAX_FRAME_BYTES

TOO_MUCH = b"\0\0\0\x09" + ErrorCode.FLOW_CONTROL_ERROR.to_bytes(4, "big") + b"more than the connection's window"

USES: dict[str, Callable[[int, int], bytes]] = {
    "a call": lambda stream_id, size: call(stream_id, bytes(size - 5)),
    "a call in parts": lambda stream_id, size: (
        headers(stream_id) + data(stream_id, message(bytes(size - 5))[:3], 0) + data(stream_id, bytes(size - 3))
    ),
    "a call with padding": lambda stream_id, size: (
        headers(stream_id) + data(stream_id, b"\2" + message(bytes(size - 8)) + b"??", END | PADDED)
    ),
    "a call that is cancelled": lambda stream_id, size: (
        headers(stream_id) + data(stream_id, message(bytes(size))[:size], 0) + rst_stream(stream_id, ErrorCode.CANCEL)
    ),
    "a message that is refused": lambda stream_id, size: headers(stream_id) + data(stream_id, b"\xff" * size, 0),
    "a body that is not gRPC": lambda stream_id, size: (
        headers(stream_id, block(content_type="a/b")) + data(stream_id, bytes(size))
    ),
    "a body that is not gRPC, with padding": lambda stream_id, size: (
        headers(stream_id, block(content_type="a/b")) + data(stream_id, b"\2" + bytes(size - 1), END | PADDED)
    ),
    "a stream that we ended": lambda stream_id, size: (
        headers(stream_id, block(connection="close")) + data(stream_id, bytes(size))
    ),
    "more than the request": lambda stream_id, size: call(stream_id, b"") + data(stream_id, bytes(size - 5)),
}


@pytest.mark.parametrize(("last", "given_back"), [(8, []), (9, [STEP])])
@pytest.mark.parametrize("use", USES)
def test_bytes_are_given_back_in_steps_once_nothing_holds_them(use: str, last: int, given_back: list[int]) -> None:
    """One byte less than a step is not given back, and the whole step is."""
    talk = Talk()
    rest = STEP - 9

    for number in range(rest // FULL):
        talk.send(USES[use](2 * number + 1, FULL))
    talk.send(USES[use](5001, rest % FULL), USES[use](5003, last))

    updates = [one for one in talk.said() if one.kind == frames.WINDOW_UPDATE and one.stream_id == 0]
    assert [int.from_bytes(one.payload, "big") for one in updates] == given_back


@pytest.mark.parametrize(("more", "said"), [(0, []), (1, [TOO_MUCH])])
def test_the_peer_may_use_all_of_the_window_that_it_has_and_not_a_byte_more(more: int, said: list[bytes]) -> None:
    """Steps given back before make the window whole again, and no larger."""
    talk = Talk()
    for stream_id in (1, 3):
        body = data(stream_id, bytes(FULL), 0)
        talk.send(
            headers(stream_id, block(content_type="a/b")), STEP // FULL * body, data(stream_id, bytes(STEP % FULL))
        )
    whole = message(bytes(limits.MAX_MESSAGE_BYTES))
    talk.said()

    for stream_id in (5, 7):
        talk.send(headers(stream_id), *(data(stream_id, whole[at : at + FULL], 0) for at in range(0, len(whole), FULL)))
    talk.send(headers(9), data(9, bytes(more), 0))

    assert [one.payload for one in talk.said()] == said
