"""The rules of RFC 9113 for a peer's frames, each by its section: what ends the connection, a stream, or nothing."""

from __future__ import annotations

import pytest

from authz.http2 import frames
from authz.http2.frames import ConnectionFault, ErrorCode, frame, goaway, rst_stream, window_update
from tests.http2.talk import ALL, END, SETTINGS_ACK, Frame, Talk, block, call, data, headers, message

PING = frame(frames.PING, 0, 0, b"12345678")
WITH_PRIORITY, PADDED = frames.WITH_PRIORITY, frames.PADDED
P, F, Z, S, C = (
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR,
    ErrorCode.FRAME_SIZE_ERROR,
    ErrorCode.STREAM_CLOSED,
    ErrorCode.COMPRESSION_ERROR,
)


def setting(name: int, value: int) -> bytes:
    return frames.settings({name: value})


IDLE = "a frame on an idle stream"
SIZE = "a frame of the wrong size"
UNREADABLE = "header block that cannot be decoded"
PASSED_OVER = "a stream number below one that was used"
STREAM_WINDOW = "a stream's window is too large"
FRAME_RANGE = "SETTINGS_MAX_FRAME_SIZE is out of range"
NO_CLIENT = "HEADERS on a stream that no client opens"

CONNECTION_ERRORS: dict[str, tuple[bytes, ErrorCode, int, str]] = {
    "4.2 a frame above the size that we announced": (frame(frames.DATA, 0, 1, bytes(16_385)), Z, 0, "frame too large"),
    "4.2 only its head has come": (frame(frames.DATA, 0, 1, bytes(16_385))[:9], Z, 0, "frame too large"),
    "4.3 a header block that cannot be decoded": (headers(1, b"\x20\xff\xff\xff\xff\xff\xff"), C, 1, UNREADABLE),
    "4.3.1 no table size update after the acknowledgement": (headers(1, block()[1:]), C, 1, UNREADABLE),
    "4.3 a frame between HEADERS and CONTINUATION": (headers(1, b"", 0) + PING, P, 0, "another frame was due"),
    "5.1 DATA on an idle stream": (data(1, b""), P, 0, "DATA on a stream that is not open"),
    "5.1 DATA on an idle stream above one in use": (
        headers(3) + data(5, b""),
        P,
        3,
        "DATA on a stream that is not open",
    ),
    "5.1 RST_STREAM on an idle stream": (rst_stream(1, ErrorCode.CANCEL), P, 0, IDLE),
    "5.1 RST_STREAM on an idle stream above one in use": (headers(3) + rst_stream(5, ErrorCode.CANCEL), P, 3, IDLE),
    "5.1 WINDOW_UPDATE on an idle stream": (window_update(1, 1), P, 0, IDLE),
    "5.1 WINDOW_UPDATE on a stream that a server opens": (headers(3) + window_update(2, 1), P, 3, IDLE),
    "5.1 HEADERS on a closed stream": (
        call() + rst_stream(1, ErrorCode.CANCEL) + headers(),
        S,
        1,
        "HEADERS on a closed stream",
    ),
    "5.1 HEADERS on a closed stream below numbers that were passed over": (
        call() + rst_stream(1, ErrorCode.CANCEL) + headers(7) + headers(1),
        S,
        7,
        "HEADERS on a closed stream",
    ),
    "5.1.1 HEADERS on a stream that a server opens": (headers(2), P, 0, NO_CLIENT),
    "5.1.1 HEADERS on a number that was passed over": (headers(5) + headers(3), P, 5, PASSED_OVER),
    "5.1.1 HEADERS on the first number that was passed over": (headers(3) + headers(1), P, 3, PASSED_OVER),
    "5.1.1 HEADERS on one of two numbers that were passed over": (
        headers(1) + headers(7) + headers(3),
        P,
        7,
        PASSED_OVER,
    ),
    "6.1 DATA on the connection": (data(0, b"x"), P, 0, "DATA on a stream that is not open"),
    "6.1 DATA on a stream that a server opens": (headers(3) + data(2, b"x"), P, 3, "DATA on a stream that is not open"),
    "6.1 DATA with more padding than payload": (
        headers() + data(1, b"\x04abc", END | PADDED),
        P,
        1,
        "more padding than payload",
    ),
    "6.1 DATA with padding and no length of it": (headers() + data(1, b"", PADDED), Z, 1, "no pad length"),
    "6.2 HEADERS on the connection": (headers(0), P, 0, NO_CLIENT),
    "6.2 HEADERS without room for its priority": (headers(1, bytes(4), ALL | WITH_PRIORITY), Z, 0, "HEADERS too short"),
    "6.3 PRIORITY on the connection": (frame(frames.PRIORITY, 0, 0, bytes(5)), P, 0, "PRIORITY on the connection"),
    "6.3 PRIORITY of another size": (frame(frames.PRIORITY, 0, 1, bytes(4)), Z, 0, SIZE),
    "6.4 RST_STREAM on the connection": (rst_stream(0, ErrorCode.CANCEL), P, 0, IDLE),
    "6.4 RST_STREAM of another size": (headers() + frame(frames.RST_STREAM, 0, 1, bytes(3)), Z, 1, SIZE),
    "6.5 SETTINGS on a stream": (frame(frames.SETTINGS, 0, 1), P, 0, "SETTINGS on a stream"),
    "6.5 SETTINGS of another size": (frame(frames.SETTINGS, 0, 0, bytes(5)), Z, 0, SIZE),
    "6.5 an acknowledgement with content": (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), Z, 0, SIZE),
    "6.5.2 SETTINGS_ENABLE_PUSH above 1": (
        setting(frames.ENABLE_PUSH, 2),
        P,
        0,
        "SETTINGS_ENABLE_PUSH is neither 0 nor 1",
    ),
    "6.5.2 SETTINGS_INITIAL_WINDOW_SIZE too large": (setting(frames.INITIAL_WINDOW_SIZE, 2**31), F, 0, STREAM_WINDOW),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE too small": (setting(frames.MAX_FRAME_SIZE, 16_383), P, 0, FRAME_RANGE),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE too large": (setting(frames.MAX_FRAME_SIZE, 2**24), P, 0, FRAME_RANGE),
    "6.6 PUSH_PROMISE from a client": (frame(frames.PUSH_PROMISE, ALL, 1, bytes(4)), P, 0, "a client cannot push"),
    "6.7 PING on a stream": (frame(frames.PING, 0, 1, bytes(8)), P, 0, "PING on a stream"),
    "6.7 PING of another size": (frame(frames.PING, 0, 0, bytes(7)), Z, 0, SIZE),
    "6.8 GOAWAY on a stream": (frame(frames.GOAWAY, 0, 1, bytes(8)), P, 0, "GOAWAY on a stream"),
    "6.8 GOAWAY of another size": (frame(frames.GOAWAY, 0, 0, bytes(7)), Z, 0, SIZE),
    "6.9 WINDOW_UPDATE of nothing on the connection": (window_update(0, 0), P, 0, "WINDOW_UPDATE of nothing"),
    "6.9 WINDOW_UPDATE of another size": (frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), Z, 0, SIZE),
    "6.9.1 the connection's window too large by one byte": (
        window_update(0, 2**31 - 65_535),
        F,
        0,
        "the connection's window is too large",
    ),
    "6.9.2 a stream's window made too large by SETTINGS": (
        headers() + window_update(1, 5) + setting(frames.INITIAL_WINDOW_SIZE, 2**31 - 5),
        F,
        1,
        STREAM_WINDOW,
    ),
    "6.10 CONTINUATION without HEADERS": (frame(frames.CONTINUATION, ALL, 1), P, 0, "CONTINUATION of nothing"),
    "6.10 CONTINUATION of another stream": (
        headers(1, b"", 0) + frame(frames.CONTINUATION, ALL, 3),
        P,
        0,
        "CONTINUATION of nothing",
    ),
}
"""By rule: the frames, the error, the last stream that GOAWAY names, and its debug data."""


@pytest.mark.parametrize("rule", CONNECTION_ERRORS)
def test_a_peer_that_breaks_a_rule_of_the_connection_gets_goaway_with_the_error(rule: str) -> None:
    sent, code, last_stream_id, text = CONNECTION_ERRORS[rule]
    talk = Talk()

    talk.send(sent)

    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + text.encode()
    assert talk.said()[-1] == Frame(frames.GOAWAY, 0, 0, payload)
    assert talk.connection.is_closed
    assert talk.send(call(7)) == []
    assert talk.said() == []
    assert talk.ended == {"protocol": 1}
    assert (talk.shared.unfinished_calls, talk.shared.unfinished_bytes) == (0, 0)


STREAM_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "5.1 DATA after the end of the request": (call() + data(1, b"x"), S),
    "5.1 HEADERS after the end of the request": (call() + headers(), S),
    "6.1 DATA on a closed stream": (call() + rst_stream(1, ErrorCode.CANCEL) + data(1, b"x"), S),
    "6.9 WINDOW_UPDATE of nothing on a stream": (headers() + window_update(1, 0), P),
    "6.9.1 a stream's window too large by one byte": (
        headers() + window_update(1, 5) + window_update(1, 2**31 - 65_535 - 5),
        F,
    ),
    "8.1 trailers that do not end the stream": (headers() + headers(1, b""), P),
    "8.1 trailers with a pseudo-header field": (headers() + headers(1, block(), ALL | END), P),
    "8.1.1 less than content-length": (headers(1, block(content_length="9")) + data(1, message(b"abc")), P),
    "8.1.1 less than content-length, with trailers": (
        headers(1, block(content_length="9")) + data(1, message(b"abc"), 0) + headers(1, b"", ALL | END),
        P,
    ),
    "8.1.1 more than content-length": (headers(1, block(content_length="7")) + data(1, message(b"abc"), 0), P),
    "8.2 a malformed header list": (headers(1, block(connection="close")), P),
}


@pytest.mark.parametrize("rule", STREAM_ERRORS)
def test_a_peer_that_breaks_a_rule_of_a_stream_gets_rst_stream_and_the_connection_goes_on(rule: str) -> None:
    sent, code = STREAM_ERRORS[rule]
    talk = Talk()

    talk.send(sent)

    ends = [one for one in talk.said() if one.kind == frames.RST_STREAM]
    assert ends == [Frame(frames.RST_STREAM, 0, 1, code.to_bytes(4, "big"))]
    (request,) = talk.send(call(9))
    assert request.message == b"abc"
    assert talk.shared.unfinished_calls == 0


IGNORED = {
    "4.1 an unknown frame type": frame(0xEE, 0xFF, 7, b"abc"),
    "4.1 unknown flags": frame(frames.PING, 0xFE, 0, bytes(8)),
    "5.1 WINDOW_UPDATE on a closed stream": call() + rst_stream(1, ErrorCode.CANCEL) + window_update(1, 1),
    "5.1 RST_STREAM on a closed stream": call() + 2 * rst_stream(1, ErrorCode.CANCEL),
    "5.3.2 PRIORITY": frame(frames.PRIORITY, 0, 1, bytes(5)),
    "6.5.2 an unknown setting": setting(0xABCD, 1),
    "6.5.2 SETTINGS_ENABLE_PUSH": setting(frames.ENABLE_PUSH, 0) + setting(frames.ENABLE_PUSH, 1),
    "6.5.2 the smallest SETTINGS_MAX_FRAME_SIZE": setting(frames.MAX_FRAME_SIZE, 16_384),
    "6.5.2 the largest SETTINGS_MAX_FRAME_SIZE": setting(frames.MAX_FRAME_SIZE, 2**24 - 1),
    "6.5.2 the largest SETTINGS_INITIAL_WINDOW_SIZE": setting(frames.INITIAL_WINDOW_SIZE, 2**31 - 1),
    "6.9 the reserved bit of WINDOW_UPDATE": 2 * window_update(0, 2**31 + 2**29),
    "6.9.1 the largest window of the connection": window_update(0, 2**31 - 1 - 65_535),
    "6.9.1 the largest window of a stream": (
        headers() + window_update(1, 5) + window_update(1, 2**31 - 1 - 65_535 - 5)
    ),
    "6.9.2 the largest window of a stream, made by SETTINGS": (
        headers()
        + window_update(1, 5)
        + setting(frames.INITIAL_WINDOW_SIZE, 2**31 - 6)
        + rst_stream(1, ErrorCode.CANCEL)
    ),
    "6.5.2 a setting that does not concern us": setting(frames.MAX_CONCURRENT_STREAMS, 0),
    "6.7 an answer to no PING": frame(frames.PING, frames.ACK, 0, bytes(8)),
    "6.8 GOAWAY": goaway(0, ErrorCode.NO_ERROR, "bye"),
    "6.5.3 a second acknowledgement": SETTINGS_ACK,
    "4.1 the reserved bit": call().replace(b"\0\0\0\1", b"\x80\0\0\1", 1) + rst_stream(1, ErrorCode.CANCEL),
}


@pytest.mark.parametrize("what", IGNORED)
def test_what_may_be_ignored_changes_nothing(what: str) -> None:
    talk = Talk()

    talk.send(IGNORED[what])

    assert {one.kind for one in talk.said()} <= {frames.PING, frames.SETTINGS}
    assert [request.stream_id for request in talk.send(call(9))] == [9]


def test_a_fault_of_the_connection_reads_as_its_text() -> None:
    assert str(ConnectionFault(P, "frame too large")) == "frame too large"
