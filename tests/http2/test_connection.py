"""The rules of RFC 9113 for connections and streams, each by its section."""

from __future__ import annotations

import pytest

from authz.http2 import frames, limits
from authz.http2.connection import Connection
from authz.http2.frames import ErrorCode, frame, goaway, rst_stream, window_update
from authz.http2.limits import Shared
from authz.http2.stream import CLOSED, RECEIVED
from tests.http2.talk import ALL, END, SETTINGS, SETTINGS_ACK, Talk, block, call, data, headers, message

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


CONNECTION_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "4.2 a frame above the size that we announced": (frame(frames.DATA, 0, 1, bytes(16_385)), Z),
    "4.3 a header block that cannot be decoded": (headers(1, b"\x20\xff\xff\xff\xff\xff\xff"), C),
    "4.3.1 no table size update after the acknowledgement": (headers(1, block()[1:]), C),
    "4.3 a frame between HEADERS and CONTINUATION": (headers(1, b"", 0) + PING, P),
    "5.1 DATA on an idle stream": (data(1, b""), P),
    "5.1 RST_STREAM on an idle stream": (rst_stream(1, ErrorCode.CANCEL), P),
    "5.1 WINDOW_UPDATE on an idle stream": (window_update(1, 1), P),
    "5.1 HEADERS on a closed stream": (call() + rst_stream(1, ErrorCode.CANCEL) + headers(), S),
    "5.1.1 HEADERS on a stream that a server opens": (headers(2), P),
    "5.1.1 HEADERS on a number that was passed over": (headers(5) + headers(3), P),
    "6.1 DATA on the connection": (data(0, b"x"), P),
    "6.1 DATA with more padding than payload": (headers() + data(1, b"\x04abc", END | PADDED), P),
    "6.1 DATA with padding and no length of it": (headers() + data(1, b"", PADDED), Z),
    "6.2 HEADERS on the connection": (headers(0), P),
    "6.2 HEADERS without room for its priority": (headers(1, b"abc", ALL | WITH_PRIORITY), Z),
    "6.3 PRIORITY on the connection": (frame(frames.PRIORITY, 0, 0, bytes(5)), P),
    "6.3 PRIORITY of another size": (frame(frames.PRIORITY, 0, 1, bytes(4)), Z),
    "6.4 RST_STREAM on the connection": (rst_stream(0, ErrorCode.CANCEL), P),
    "6.4 RST_STREAM of another size": (headers() + frame(frames.RST_STREAM, 0, 1, bytes(3)), Z),
    "6.5 SETTINGS on a stream": (frame(frames.SETTINGS, 0, 1), P),
    "6.5 SETTINGS of another size": (frame(frames.SETTINGS, 0, 0, bytes(5)), Z),
    "6.5 an acknowledgement with content": (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), Z),
    "6.5.2 SETTINGS_ENABLE_PUSH above 1": (setting(frames.ENABLE_PUSH, 2), P),
    "6.5.2 SETTINGS_INITIAL_WINDOW_SIZE too large": (setting(frames.INITIAL_WINDOW_SIZE, 2**31), F),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE too small": (setting(frames.MAX_FRAME_SIZE, 16_383), P),
    "6.5.2 SETTINGS_MAX_FRAME_SIZE too large": (setting(frames.MAX_FRAME_SIZE, 2**24), P),
    "6.6 PUSH_PROMISE from a client": (frame(frames.PUSH_PROMISE, ALL, 1, bytes(4)), P),
    "6.7 PING on a stream": (frame(frames.PING, 0, 1, bytes(8)), P),
    "6.7 PING of another size": (frame(frames.PING, 0, 0, bytes(7)), Z),
    "6.8 GOAWAY on a stream": (frame(frames.GOAWAY, 0, 1, bytes(8)), P),
    "6.8 GOAWAY of another size": (frame(frames.GOAWAY, 0, 0, bytes(7)), Z),
    "6.9 WINDOW_UPDATE of nothing on the connection": (window_update(0, 0), P),
    "6.9 WINDOW_UPDATE of another size": (frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), Z),
    "6.9.1 the connection's window too large": (window_update(0, 2**31 - 1), F),
    "6.9.2 a stream's window made too large by SETTINGS": (
        headers() + window_update(1, 2**30) + setting(frames.INITIAL_WINDOW_SIZE, 2**31 - 1),
        F,
    ),
    "6.10 CONTINUATION without HEADERS": (frame(frames.CONTINUATION, ALL, 1), P),
    "6.10 CONTINUATION of another stream": (headers(1, b"", 0) + frame(frames.CONTINUATION, ALL, 3), P),
}


@pytest.mark.parametrize("rule", CONNECTION_ERRORS)
def test_a_peer_that_breaks_a_rule_of_the_connection_gets_goaway_with_the_error(rule: str) -> None:
    sent, code = CONNECTION_ERRORS[rule]
    talk = Talk()

    talk.send(sent)

    last = talk.said()[-1]
    assert (last.kind, last.code) == (frames.GOAWAY, code)
    assert talk.connection.is_closed
    assert talk.send(call(7)) == []
    assert talk.said() == []
    assert talk.shared.ended["protocol"] == 1
    assert (talk.shared.unfinished_calls, talk.shared.unfinished_bytes) == (0, 0)


STREAM_ERRORS: dict[str, tuple[bytes, ErrorCode]] = {
    "5.1 DATA after the end of the request": (call() + data(1, b"x"), S),
    "5.1 HEADERS after the end of the request": (call() + headers(), S),
    "6.1 DATA on a closed stream": (call() + rst_stream(1, ErrorCode.CANCEL) + data(1, b"x"), S),
    "6.9 WINDOW_UPDATE of nothing on a stream": (headers() + window_update(1, 0), P),
    "6.9.1 a stream's window too large": (headers() + window_update(1, 2**31 - 1), F),
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
    assert [(one.stream_id, one.code) for one in ends] == [(1, code)]
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


def test_the_server_speaks_first_and_announces_its_limits() -> None:
    settings, window = Talk(hello=b"").greeting

    assert (settings.kind, settings.flags, settings.stream_id) == (frames.SETTINGS, 0, 0)
    assert dict(frames.SETTING.iter_unpack(settings.payload)) == {
        frames.HEADER_TABLE_SIZE: 0,
        frames.MAX_CONCURRENT_STREAMS: limits.MAX_STREAMS_PER_CONNECTION,
        frames.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: limits.MAX_HEADER_LIST_BYTES,
    }
    assert window.kind == frames.WINDOW_UPDATE
    assert int.from_bytes(window.payload, "big") + 65_535 == limits.CONNECTION_WINDOW


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", b"\x16\x03\x01"])
def test_a_peer_that_does_not_speak_http2_is_sent_away(said: bytes) -> None:
    talk = Talk(hello=b"")

    talk.send(said)

    assert [one.code for one in talk.said()] == [P]
    assert talk.connection.is_closed


@pytest.mark.parametrize("first", [PING, SETTINGS_ACK, call()], ids=["PING", "SETTINGS with ACK", "HEADERS"])
def test_the_first_frame_has_to_be_settings(first: bytes) -> None:
    talk = Talk(hello=frames.PREFACE)

    talk.send(first)

    assert [one.code for one in talk.said()] == [P]


def test_everything_may_come_one_byte_at_a_time() -> None:
    talk = Talk(hello=b"")
    text = frames.PREFACE + SETTINGS + SETTINGS_ACK + headers(1, block()[:9], 0)
    text += (
        frame(frames.CONTINUATION, 0, 1, block()[9:]) + frame(frames.CONTINUATION, ALL, 1) + data(1, message(b"abc"))
    )

    requests = [request for byte in text for request in talk.send(bytes((byte,)))]

    assert [(request.stream_id, request.message, request.state) for request in requests] == [(1, b"abc", RECEIVED)]


def test_settings_are_acknowledged() -> None:
    talk = Talk(hello=frames.PREFACE)

    talk.send(SETTINGS)

    assert [(one.kind, one.flags) for one in talk.said()] == [(frames.SETTINGS, frames.ACK)]


def test_a_ping_is_answered_with_its_bytes() -> None:
    talk = Talk()

    talk.send(PING)

    (one,) = talk.said()
    assert (one.kind, one.flags, one.payload) == (frames.PING, frames.ACK, b"12345678")


def test_padding_and_priority_are_taken_off_and_padding_is_given_back_to_the_stream() -> None:
    talk = Talk()
    first = headers(1, b"\x02" + bytes(5) + block() + b"??", ALL | PADDED | WITH_PRIORITY)

    (request,) = talk.send(first, data(1, b"\x03" + message(b"abc") + b"???", END | PADDED))

    assert request.message == b"abc"
    (update,) = talk.said()
    assert (update.kind, update.stream_id, update.payload[-1]) == (frames.WINDOW_UPDATE, 1, 4)


@pytest.mark.parametrize(
    ("flag", "payload"),
    [(WITH_PRIORITY, bytes(5) + block()), (PADDED, b"\x01" + block() + b"?"), (PADDED, b"\0" + block())],
)
def test_headers_may_have_priority_or_padding(flag: int, payload: bytes) -> None:
    (request,) = Talk().send(headers(1, payload, ALL | flag), data(1, message(b"")))

    assert request.message == b""


def test_a_request_that_the_peer_resets_is_taken_back_and_its_answer_goes_nowhere() -> None:
    talk = Talk()
    (request,) = talk.send(call())

    (taken_back,) = talk.send(rst_stream(1, ErrorCode.CANCEL))
    talk.connection.send_message(request, b"late")
    talk.connection.send_status(request, 4, "")

    assert taken_back is request
    assert request.state == CLOSED
    assert talk.said() == []


def test_a_request_is_answered_once() -> None:
    talk = Talk()
    (request,) = talk.send(call())

    talk.connection.send_message(request, b"first")
    talk.connection.send_message(request, b"second")

    head, body, trailers = talk.said()
    assert talk.fields(head) == {b":status": b"200", b"content-type": b"application/grpc"}
    assert (body.payload, body.flags) == (message(b"first"), 0)
    assert talk.fields(trailers) == {b"grpc-status": b"0"}
    assert trailers.flags & END
    assert talk.connection.is_idle


def test_what_comes_on_a_stream_that_we_ended_is_dropped_until_the_peer_knows() -> None:
    """RFC 9113 section 5.1: frames that were under way."""
    talk = Talk()
    talk.send(headers(1, block(connection="close")))
    talk.said()

    talk.send(data(1, b"abc", 0), headers(1, b"", ALL | END), window_update(1, 5), rst_stream(1, ErrorCode.CANCEL))

    assert talk.said() == []
    assert not talk.connection.is_closed


def test_streams_that_we_ended_are_remembered_in_bounds() -> None:
    talk = Talk()
    for stream_id in range(1, 2600, 2):
        talk.connection._ignore(stream_id)

    assert len(talk.connection._ignored) <= 2 * limits.MAX_STREAMS_PER_CONNECTION
    assert 2599 in talk.connection._ignored


def test_bytes_are_given_back_when_their_message_is_complete_and_not_before() -> None:
    talk = Talk()
    whole = message(bytes(limits.MAX_MESSAGE_BYTES))

    talk.send(headers())
    for at in range(0, len(whole) - 16_384, 16_384):
        talk.send(data(1, whole[at : at + 16_384], 0))
    assert talk.said() == []
    assert talk.shared.unfinished_bytes > limits.MAX_MESSAGE_BYTES - 16_384
    rest = len(whole) - talk.shared.unfinished_bytes
    (request,) = talk.send(data(1, whole[-rest:]))

    assert len(request.message) == limits.MAX_MESSAGE_BYTES
    (update,) = talk.said()
    assert (update.kind, update.stream_id) == (frames.WINDOW_UPDATE, 0)
    assert int.from_bytes(update.payload, "big") == len(whole)
    assert talk.shared.unfinished_bytes == 0


def test_more_than_the_window_of_the_connection_is_an_error() -> None:
    """RFC 9113 section 6.9.1, with the unfinished messages of three streams."""
    talk = Talk()
    head = message(bytes(limits.MAX_MESSAGE_BYTES))[:5]

    for stream_id in (1, 3, 5):
        talk.send(headers(stream_id), data(stream_id, head, 0))
        for _ in range(200):
            talk.send(data(stream_id, bytes(16_384), 0))

    assert talk.said()[-1].code == F
    assert talk.shared.unfinished_bytes == 0


def test_a_socket_that_is_gone_takes_its_requests_back() -> None:
    talk = Talk()
    (request,) = talk.send(call(), headers(3))

    assert talk.connection.terminate() == [request]
    assert request.state == CLOSED
    assert talk.shared.unfinished_calls == 0


# --- leaving (section 6.8)


def test_a_server_that_leaves_says_so_twice_and_serves_what_came_in_between() -> None:
    talk = Talk()
    (first,) = talk.send(call(1))

    talk.connection.start_drain()
    talk.connection.start_drain()
    warning, ping = talk.said()
    (second,) = talk.send(call(3))
    talk.send(frame(frames.PING, frames.ACK, 0, ping.payload))
    (last,) = talk.said()
    talk.send(call(5))

    assert (warning.kind, warning.code, warning.payload[:4]) == (frames.GOAWAY, 0, b"\x7f\xff\xff\xff")
    assert (last.kind, last.code, last.payload[:4]) == (frames.GOAWAY, 0, b"\0\0\0\x03")
    assert talk.said() == []
    before = talk.connection.is_drained
    talk.connection.send_message(first, b"")
    talk.connection.send_message(second, b"")
    assert (before, talk.connection.is_drained, talk.connection.has_output) == (False, True, True)


def test_a_drain_may_be_ended_without_the_peer_and_on_a_connection_that_has_ended() -> None:
    talk = Talk()
    talk.connection.start_drain()
    talk.connection.finish_drain()
    talk.connection.finish_drain()
    ended = Connection(Shared(), {}, 0.0)
    ended.terminate()
    ended.start_drain()
    ended.finish_drain()

    assert [one.kind for one in talk.said()] == [frames.GOAWAY, frames.PING, frames.GOAWAY]
    assert talk.connection.is_drained
    assert not ended.is_drained


def test_trailers_may_end_a_request() -> None:
    (request,) = Talk().send(headers(), data(1, message(b"abc"), 0), headers(1, b"", ALL | END))

    assert request.message == b"abc"


def test_a_message_may_come_in_any_number_of_frames() -> None:
    text = message(b"abcdefghij")
    parts = [data(1, text[at : at + 1], 0) for at in range(len(text))]

    (request,) = Talk().send(headers(), *parts, data(1, b""))

    assert request.message == b"abcdefghij"


def test_a_content_length_that_is_right_changes_nothing() -> None:
    (request,) = Talk().send(headers(1, block(content_length="8")), data(1, message(b"abc")))

    assert request.message == b"abc"


def test_settings_before_the_acknowledgement_keep_the_dynamic_table() -> None:
    """RFC 7541: until our table size is acknowledged the peer may use 4096 bytes of table."""
    talk = Talk(hello=frames.PREFACE + SETTINGS)
    indexed = b"".join(b"\x40" + literal[1:] for literal in _literals())

    (first,) = talk.send(headers(1, indexed), data(1, message(b"a")))
    (second,) = talk.send(headers(3, bytes(range(0xBE + 5, 0xBD, -1))), data(3, message(b"b")))
    talk.send(SETTINGS_ACK)
    (third,) = talk.send(headers(5), data(5, message(b"c")))
    talk.send(headers(7, bytes(range(0xBE + 5, 0xBD, -1))))

    assert first.head == second.head == third.head
    assert list(talk.remembered) == [block()]
    assert talk.said()[-1].code == C


def _literals() -> list[bytes]:
    from tests.http2.talk import CALL, literal  # noqa: PLC0415

    return [literal(name, value) for name, value in CALL]
