"""A connection from its first bytes to its end: requests come in, responses go out."""

from __future__ import annotations

import pytest

from authz.http2 import frames, limits
from authz.http2.frames import ErrorCode, frame, rst_stream, window_update
from authz.http2.stream import CLOSED, RECEIVED
from tests.http2.talk import ALL, END, SETTINGS, SETTINGS_ACK, Frame, Talk, block, call, data, headers, message

PING = frame(frames.PING, 0, 0, b"12345678")
WITH_PRIORITY, PADDED = frames.WITH_PRIORITY, frames.PADDED
P, F, C = ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR, ErrorCode.COMPRESSION_ERROR


def test_the_server_speaks_first_and_announces_its_limits() -> None:
    settings, window = Talk(hello=b"").greeting

    assert (settings.kind, settings.flags, settings.stream_id) == (frames.SETTINGS, 0, 0)
    assert dict(frames.SETTING.iter_unpack(settings.payload)) == {
        frames.HEADER_TABLE_SIZE: 0,
        frames.MAX_CONCURRENT_STREAMS: limits.MAX_STREAMS_PER_CONNECTION,
        frames.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: limits.MAX_HEADER_LIST_BYTES,
    }
    assert (window.kind, window.stream_id) == (frames.WINDOW_UPDATE, 0)
    assert int.from_bytes(window.payload, "big") + 65_535 == limits.CONNECTION_WINDOW


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", b"\x16\x03\x01"])
def test_a_peer_that_does_not_speak_http2_is_sent_away(said: bytes) -> None:
    talk = Talk(hello=b"")

    talk.send(said)

    (last,) = talk.said()
    assert (last.code, last.payload[8:]) == (P, b"this is not HTTP/2")
    assert talk.connection.is_closed


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (PING, b"another frame was due"),
        (SETTINGS_ACK, b"an acknowledgement before SETTINGS"),
        (call(), b"another frame was due"),
    ],
    ids=["PING", "SETTINGS with ACK", "HEADERS"],
)
def test_the_first_frame_has_to_be_settings(first: bytes, text: bytes) -> None:
    talk = Talk(hello=frames.PREFACE)

    talk.send(first)

    (last,) = talk.said()
    assert (last.code, last.payload[8:]) == (P, text)


@pytest.mark.parametrize(("count", "code"), [(64, P), (65, ErrorCode.STREAM_CLOSED)])
def test_numbers_that_were_passed_over_are_remembered_in_bounds(count: int, code: ErrorCode) -> None:
    """Streams in sequence take no place of them."""
    talk = Talk()
    talk.send(*(headers(4 * number + 3) for number in range(count)))
    talk.send(*(headers(4 * count + 2 * number + 1) for number in range(100)))

    talk.send(headers(1))

    assert talk.said()[-1].code == code


def test_the_last_stream_of_a_connection_is_served() -> None:
    (request,) = Talk().send(call(2**31 - 1))

    assert request.message == b"abc"


@pytest.mark.parametrize("size", [1, 2, 24, 25, 30, 40, 60, 100])
def test_everything_may_come_in_parts_of_any_size(size: int) -> None:
    talk = Talk(hello=b"")
    text = frames.PREFACE + SETTINGS + SETTINGS_ACK + headers(1, block()[:9], 0)
    text += (
        frame(frames.CONTINUATION, 0, 1, block()[9:]) + frame(frames.CONTINUATION, ALL, 1) + data(1, message(b"abc"))
    )

    text += call(3)

    requests = [request for at in range(0, len(text), size) for request in talk.send(text[at : at + size])]

    assert [(request.stream_id, request.message) for request in requests] == [(1, b"abc"), (3, b"abc")]
    assert {request.state for request in requests} == {RECEIVED}
    assert [(one.kind, one.flags) for one in talk.said()] == [(frames.SETTINGS, frames.ACK)]


def test_settings_are_acknowledged() -> None:
    talk = Talk(hello=frames.PREFACE)

    talk.send(SETTINGS)

    assert [(one.kind, one.flags) for one in talk.said()] == [(frames.SETTINGS, frames.ACK)]


def test_a_ping_is_answered_with_its_bytes() -> None:
    talk = Talk()

    talk.send(PING)

    assert talk.said() == [Frame(frames.PING, frames.ACK, 0, b"12345678")]


def test_padding_and_priority_are_taken_off_and_padding_is_given_back_to_the_stream() -> None:
    talk = Talk()
    first = headers(1, b"\x02" + bytes(5) + block() + b"??", ALL | PADDED | WITH_PRIORITY)

    (request,) = talk.send(first, data(1, b"\x03" + message(b"abc") + b"???", END | PADDED))

    assert request.message == b"abc"
    assert talk.said() == [Frame(frames.WINDOW_UPDATE, 0, 1, b"\0\0\0\4")]


@pytest.mark.parametrize(
    ("flag", "payload"),
    [(WITH_PRIORITY, bytes(5) + block()), (PADDED, b"\x01" + block() + b"?"), (PADDED, b"\0" + block())],
)
def test_headers_may_have_priority_or_padding(flag: int, payload: bytes) -> None:
    (request,) = Talk().send(headers(1, payload, ALL | flag), data(1, message(b"")))

    assert request.message == b""


@pytest.mark.parametrize(
    ("flag", "payload"),
    [(WITH_PRIORITY, bytes(5)), (PADDED, b"\x02??"), (WITH_PRIORITY | PADDED, b"\x01" + bytes(6))],
)
def test_headers_may_have_nothing_but_priority_or_padding_if_the_block_follows(flag: int, payload: bytes) -> None:
    rest = frame(frames.CONTINUATION, ALL, 1, block())

    (request,) = Talk().send(headers(1, payload, flag), rest, data(1, b"\x02??", PADDED), data(1, message(b"")))

    assert request.message == b""


def test_a_block_in_several_frames_may_end_its_request() -> None:
    talk = Talk()

    talk.send(headers(1, b"", END), frame(frames.CONTINUATION, ALL, 1, block()))

    assert talk.answer()[b"grpc-status"] == b"12"


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
    assert head.payload[:1] == b"\x88"
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


def test_what_comes_after_the_peer_has_ended_the_stream_too_is_an_error() -> None:
    talk = Talk()
    talk.send(headers(1, block(connection="close")), rst_stream(1, ErrorCode.CANCEL))
    talk.said()

    talk.send(data(1, b"abc"))

    assert [(one.kind, one.code) for one in talk.said()] == [(frames.RST_STREAM, ErrorCode.STREAM_CLOSED)]


@pytest.mark.parametrize(("count", "forgotten"), [(1024, 0), (1025, 512), (1536, 512), (1537, 1024)])
def test_streams_that_we_ended_are_remembered_in_bounds(count: int, forgotten: int) -> None:
    talk = Talk()
    for stream_id in range(count):
        talk.connection._ignore(stream_id)

    assert list(talk.connection._ignored) == list(range(forgotten, count))


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


IN_PARTS = {
    "the end in an empty frame": [data(1, message(b"abc"), 0), data(1, b"")],
    "the end in trailers": [data(1, message(b"abc"), 0), headers(1, b"", ALL | END)],
    "byte by byte": [data(1, bytes((byte,)), 0) for byte in message(b"abc")] + [data(1, b"")],
    "the prefix apart": [data(1, message(b"abc")[:5], 0), data(1, b"abc")],
}


@pytest.mark.parametrize("parts", IN_PARTS)
def test_a_message_in_parts_is_one_message_and_is_answered(parts: str) -> None:
    talk = Talk()

    (request,) = talk.send(headers(), *IN_PARTS[parts])
    talk.connection.send_message(request, b"yes")

    assert request.message == b"abc"
    assert talk.said()[1].payload == message(b"yes")
    assert talk.connection.is_idle


@pytest.mark.parametrize("parts", [[data(1, message(b"abc"))], [data(1, message(b"abc"), 0), data(1, b"")]])
def test_a_content_length_that_is_right_changes_nothing(parts: list[bytes]) -> None:
    (request,) = Talk().send(headers(1, block(content_length="8")), *parts)

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
