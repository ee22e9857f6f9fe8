"""The header lists and messages of a gRPC call, and the answers to all others."""

from __future__ import annotations

from math import inf

import pytest

from authz.http2 import frames, limits
from authz.http2.frames import ErrorCode, frame
from tests.http2.talk import ALL, CALL, END, Talk, block, data, headers, message

MALFORMED = {
    "8.2 a capital letter": block(Bad="x"),
    "8.2 a space in a name": block() + b"\0\x03a b\x01x",
    "8.2 an empty name": block() + b"\0\0\x01x",
    "8.2.1 a line feed in a value": block(other="a\nb"),
    "8.2.1 a carriage return in a value": block(other="a\rb"),
    "8.2.1 a NUL in a value": block(other="a\0b"),
    "8.2.1 a blank before a value": block(other=" a"),
    "8.2.1 a tab after a value": block(other="a\t"),
    "8.2.2 connection": block(connection="keep-alive"),
    "8.2.2 keep-alive": block(keep_alive="1"),
    "8.2.2 proxy-connection": block(proxy_connection="x"),
    "8.2.2 transfer-encoding": block(transfer_encoding="chunked"),
    "8.2.2 upgrade": block(upgrade="h2c"),
    "8.2.2 te that is not trailers": block(te="gzip"),
    "8.3 an unknown pseudo-header field": block([(b":unknown", b"x"), *CALL]),
    "8.3 a pseudo-header field of responses": block([(b":status", b"200"), *CALL]),
    "8.3 a pseudo-header field after a field": block([*CALL[4:], *CALL[:4]]),
    "8.3 a pseudo-header field twice": block([CALL[0], *CALL]),
    "8.3.1 no :method": block(method=""),
    "8.3.1 no :scheme": block(scheme=""),
    "8.3.1 no :path": block(path=""),
    "8.3.1 an empty :path": block(path="") + b"\0\x05:path\0",
    "8.3.1 host and :authority differ": block(host="other"),
    "8.5 CONNECT with a path": block(method="CONNECT"),
    "8.5 CONNECT without an authority": block([(b":method", b"CONNECT")]),
    "8.1.1 content-length that is no number": block(content_length="+5"),
    "8.1.1 content-length without end": block(content_length="1" * 19),
    "two contents of one field": block() + b"\0\x0ccontent-type\x01x",
}


@pytest.mark.parametrize("rule", MALFORMED)
def test_a_malformed_header_list_ends_the_stream(rule: str) -> None:
    talk = Talk()

    assert talk.send(headers(1, MALFORMED[rule])) == []

    (one,) = talk.said()
    assert (one.kind, one.stream_id, one.code) == (frames.RST_STREAM, 1, ErrorCode.PROTOCOL_ERROR)
    assert talk.remembered == {}


HTTP_ANSWERS = {
    "GET": (block(method="GET", content_type=""), b"405", True),
    "HEAD": (block(method="HEAD", content_type=""), b"405", False),
    "CONNECT": (block([(b":method", b"CONNECT"), (b":authority", b"a:1")]), b"405", True),
    "a form": (block(content_type="text/html"), b"415", True),
    "no content-type": (block(content_type=""), b"415", True),
    "nearly gRPC": (block(content_type="application/grpc-web"), b"415", True),
}


@pytest.mark.parametrize("what", HTTP_ANSWERS)
def test_who_does_not_speak_grpc_is_told_so_in_http(what: str) -> None:
    sent, status, has_body = HTTP_ANSWERS[what]
    talk = Talk()

    assert talk.send(headers(1, sent, ALL | END)) == []

    head, *body = talk.said()
    assert talk.fields(head)[b":status"] == status
    assert [one.flags for one in body] == [END] * has_body
    assert bool(head.flags & END) is not has_body
    assert talk.connection.is_idle


def test_the_body_of_a_request_that_is_not_grpc_is_dropped_and_answered_at_its_end() -> None:
    talk = Talk()

    talk.send(headers(1, block(content_type="text/html")), data(1, b"x" * 9000, 0), data(1, b"x" * 9000, 0))
    assert (talk.said(), talk.shared.unfinished_bytes) == ([], 0)
    talk.send(data(1, b"x"))

    assert talk.fields(talk.said()[0])[b":status"] == b"415"


def test_a_body_without_end_is_refused() -> None:
    talk = Talk()
    talk.send(headers(1, block(content_type="text/html")))

    for _ in range(limits.MAX_MESSAGE_BYTES // 16_384 + 1):
        talk.send(data(1, bytes(16_384), 0))

    assert talk.answer()[b":status"] == b"413"


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
def test_every_content_type_of_grpc_is_served(kind: str) -> None:
    (request,) = Talk().send(headers(1, block(content_type=kind)), data(1, message(b"")))

    assert request.message == b""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200m", 0.2),
        ("1S", 1),
        ("2M", 120),
        ("3H", 10_800),
        ("99999999u", 99.999999),
        ("1n", 1e-9),
        ("0m", 0),
        ("", inf),
    ],
)
def test_the_timeout_of_a_call_is_read(text: str, seconds: float) -> None:
    (request,) = Talk().send(headers(1, block(grpc_timeout=text)), data(1, message(b"")))

    assert request.head.timeout_seconds == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["1", "m", "1s", "-1S", "1.5S", "100000000m", "1 S", "\xb2S", "1SS"])
def test_a_timeout_that_cannot_be_read_is_an_internal_error(text: str) -> None:
    talk = Talk()

    assert talk.send(headers(1, block(grpc_timeout=text)), data(1, message(b""))) == []

    assert talk.answer()[b"grpc-status"] == b"13"


def test_the_trace_and_the_method_of_a_call_are_read() -> None:
    sent = block(path="/a.B/C", traceparent="00-1-2-03", x_other="twice") + b"\0\x07x-other\x05again"

    (request,) = Talk().send(headers(1, sent), data(1, message(b"")))

    assert (request.head.path, request.head.traceparent) == ("/a.B/C", "00-1-2-03")


REFUSED = {
    "no message": (b"", b"12"),
    "a prefix that is cut short": (b"\0\0\0", b"13"),
    "a message that is cut short": (message(b"abc")[:-1], b"13"),
    "a compressed message": (b"\x01" + message(b"abc")[1:], b"12"),
    "unknown flags": (b"\x02" + message(b"abc")[1:], b"13"),
    "two messages": (2 * message(b"abc"), b"12"),
    "a byte behind the message": (message(b"abc") + b"x", b"12"),
    "a message that is too large": (b"\0" + (limits.MAX_MESSAGE_BYTES + 1).to_bytes(4, "big") + b"x", b"8"),
}


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_one_whole_message_is_refused_with_a_status(what: str, *, in_parts: bool) -> None:
    sent, status = REFUSED[what]
    talk = Talk()
    parts = [data(1, sent[at : at + 1], 0) for at in range(len(sent))] if in_parts else []

    assert talk.send(headers(), *parts, data(1, b"" if in_parts else sent)) == []

    fields = talk.answer()
    assert fields[b"grpc-status"] == status
    assert (b"grpc-message" in fields, fields[b":status"]) == (True, b"200")
    assert (b"grpc-accept-encoding" in fields) is (status == b"12")
    assert talk.connection.is_idle
    assert (talk.shared.unfinished_calls, talk.shared.unfinished_bytes) == (0, 0)


def test_headers_that_end_the_stream_are_a_call_without_a_message() -> None:
    talk = Talk()

    talk.send(headers(1, None, ALL | END))

    assert talk.answer()[b"grpc-status"] == b"12"


def test_a_message_of_which_too_much_comes_is_answered_before_its_end_and_nothing_more_is_wanted() -> None:
    """RFC 9113 section 8.1: RST_STREAM with NO_ERROR after a whole response."""
    talk = Talk()

    talk.send(headers(), data(1, b"\0\xff\xff\xff\xff", 0))

    head, end = talk.said()
    assert talk.fields(head)[b"grpc-status"] == b"8"
    assert (end.kind, end.code) == (frames.RST_STREAM, ErrorCode.NO_ERROR)
    talk.send(data(1, bytes(100), 0), data(1, b"x"))
    assert talk.said() == []


def test_a_status_is_escaped_as_grpc_demands() -> None:
    talk = Talk()
    (request,) = talk.send(headers(), data(1, message(b"")))

    talk.connection.send_status(request, 5, "100 % müßig\n" + "x" * 300)

    assert talk.answer()[b"grpc-message"] == b"100 %25 m%C3%BC%C3%9Fig%0A" + b"x" * 300


def test_a_block_in_several_frames_is_one_block() -> None:
    talk = Talk()
    first, rest = block()[:20], block()[20:]

    (request,) = talk.send(headers(1, first, 0), frame(frames.CONTINUATION, ALL, 1, rest), data(1, message(b"abc")))

    assert request.head.path == "/t.T/Echo"
