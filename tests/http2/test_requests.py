"""The header lists and messages of a gRPC call, and the answers to all others."""

from __future__ import annotations

from math import inf

import pytest
from hpack import Decoder

from authz.http2 import frames, limits
from authz.http2.frames import ErrorCode, StreamFault, frame
from authz.http2.request_head import RequestHead, read_request_head, require_trailers
from authz.http2.responses import http_response, status_response
from tests.http2.talk import ALL, CALL, END, Talk, block, data, headers, literal, message

ONLY_POST = b"this server takes POST requests of gRPC only\n"
ONLY_GRPC = b"this server speaks gRPC only\n"
NAME = "a field name that is not allowed"
VALUE = "a field value that is not allowed"
PSEUDO = "a pseudo-header field that is late, twice or unknown"
MISSING = "a pseudo-header field is missing"
CONNECT = "CONNECT with other pseudo-header fields than :authority"
LENGTH = "a content-length that is no number"

MALFORMED = {
    "8.2 a capital letter": (block(Bad="x"), NAME),
    "8.2 a space in a name": (block() + b"\0\x03a b\x01x", NAME),
    "8.2 an empty name": (block() + b"\0\0\x01x", NAME),
    "8.2.1 a line feed in a value": (block(other="a\nb"), VALUE),
    "8.2.1 a carriage return in a value": (block(other="a\rb"), VALUE),
    "8.2.1 a NUL in a value": (block(other="a\0b"), VALUE),
    "8.2.1 a blank before a value": (block(other=" a"), VALUE),
    "8.2.1 a tab after a value": (block(other="a\t"), VALUE),
    "8.2.1 a blank in a pseudo-header field": (block(path=" /t.T/Echo"), VALUE),
    "8.2.2 connection": (block(connection="keep-alive"), NAME),
    "8.2.2 keep-alive": (block(keep_alive="1"), NAME),
    "8.2.2 proxy-connection": (block(proxy_connection="x"), NAME),
    "8.2.2 transfer-encoding": (block(transfer_encoding="chunked"), NAME),
    "8.2.2 upgrade": (block(upgrade="h2c"), NAME),
    "8.2.2 te that is not trailers": (block(te="gzip"), NAME),
    "8.3 an unknown pseudo-header field": (block([(b":unknown", b"x"), *CALL]), PSEUDO),
    "8.3 a pseudo-header field of responses": (block([(b":status", b"200"), *CALL]), PSEUDO),
    "8.3 a pseudo-header field after a field": (block([*CALL[4:], *CALL[:4]]), PSEUDO),
    "8.3 a pseudo-header field twice": (block([CALL[0], *CALL]), PSEUDO),
    "8.3.1 no :method": (block(method=""), MISSING),
    "8.3.1 no :scheme": (block(scheme=""), MISSING),
    "8.3.1 no :path": (block(path=""), MISSING),
    "8.3.1 an empty :path": (b"\x20" + literal(b":path", b"") + block(path="")[1:], MISSING),
    "8.3.1 host and :authority differ": (block(host="other"), "host and :authority differ"),
    "8.5 CONNECT with a path": (block(method="CONNECT"), CONNECT),
    "8.5 CONNECT without an authority": (block([(b":method", b"CONNECT")]), CONNECT),
    "8.5 CONNECT with a scheme in place of the authority": (
        block([(b":method", b"CONNECT"), (b":scheme", b"http")]),
        CONNECT,
    ),
    "8.1.1 content-length that is no number": (block(content_length="+5"), LENGTH),
    "8.1.1 content-length without end": (block(content_length="1" * 19), LENGTH),
    "two contents of one field": (block() + literal(b"content-type", b"x"), "a field that says two things"),
    "two lengths": (block(content_length="5") + literal(b"content-length", b"6"), "a field that says two things"),
    "two timeouts": (block(grpc_timeout="5S") + literal(b"grpc-timeout", b"6S"), "a field that says two things"),
    "two hosts": (
        block([*CALL[:3], (b"host", b"a")]) + literal(b"host", b"b"),
        "a field that says two things",
    ),
}
"""By rule: the header block, and why it is malformed."""


@pytest.mark.parametrize("rule", MALFORMED)
def test_a_malformed_header_list_ends_the_stream(rule: str) -> None:
    talk = Talk()

    assert talk.send(headers(1, MALFORMED[rule][0])) == []

    (one,) = talk.said()
    assert (one.kind, one.stream_id, one.code) == (frames.RST_STREAM, 1, ErrorCode.PROTOCOL_ERROR)
    assert talk.remembered == {}


@pytest.mark.parametrize("rule", MALFORMED)
def test_a_malformed_header_list_is_refused_for_the_rule_that_it_breaks(rule: str) -> None:
    sent, why = MALFORMED[rule]

    with pytest.raises(StreamFault) as raised:
        read_request_head(Decoder().decode(sent, raw=True))

    assert (raised.value.code, str(raised.value)) == (ErrorCode.PROTOCOL_ERROR, why)


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


@pytest.mark.parametrize(
    ("more", "status", "kinds"),
    [(0, b"415", [frames.HEADERS, frames.DATA]), (1, b"413", [frames.HEADERS, frames.RST_STREAM])],
)
def test_a_body_that_is_longer_than_a_message_may_be_is_refused_before_its_end(
    more: int, status: bytes, kinds: list[int]
) -> None:
    talk = Talk()
    talk.send(headers(1, block(content_type="text/html")))

    for _ in range(limits.MAX_MESSAGE_BYTES // 16_384):
        talk.send(data(1, bytes(16_384), 0))
    talk.send(data(1, bytes(more), 0), data(1, b""))

    said = [one for one in talk.said() if one.kind != frames.WINDOW_UPDATE]
    assert talk.fields(said[0])[b":status"] == status
    assert [one.kind for one in said] == kinds


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
    "a message that is cut short by two prefixes": (message(bytes(20))[:-10], b"13"),
    "a compressed message": (b"\x01" + message(b"abc")[1:], b"12"),
    "unknown flags": (b"\x02" + message(b"abc")[1:], b"13"),
    "two messages": (2 * message(b"abc"), b"12"),
    "a byte behind the message": (message(b"abc") + b"x", b"12"),
    "a prefix that is cut short and large": (b"\0\xff\xff\xff", b"13"),
    "a message of two gigabytes": (b"\0\x80\0\0\0x", b"8"),
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


HEADS: dict[str, tuple[bytes, RequestHead]] = {
    "a call": (block(), RequestHead("/t.T/Echo", inf, "", None, None)),
    "a call with everything": (
        block(path="/a.B/\xff", traceparent="00-1\xff", grpc_timeout="2S", content_length="9" * 18, host="localhost"),
        RequestHead("/a.B/\xc3\xbf", 2.0, "00-1\xc3\xbf", 10**18 - 1, None),
    ),
    "a call to a host": (
        block([*CALL[:3], *CALL[4:], (b"host", b"other")]),
        RequestHead("/t.T/Echo", inf, "", None, None),
    ),
    "control characters that RFC 9113 permits around a value": (
        block(other="\x0bX a\tX\x0c", x="X"),
        RequestHead("/t.T/Echo", inf, "", None, None),
    ),
    "CONNECT": (
        block([(b":method", b"CONNECT"), (b":authority", b"a:1")]),
        RequestHead("", inf, "", None, http_response(405, ONLY_POST)),
    ),
    "HEAD": (block(method="HEAD"), RequestHead("/t.T/Echo", inf, "", None, http_response(405, b""))),
    "a form": (block(content_type="a/b"), RequestHead("/t.T/Echo", inf, "", None, http_response(415, ONLY_GRPC))),
    "a bad timeout": (
        block(grpc_timeout="x"),
        RequestHead("/t.T/Echo", inf, "", None, status_response(13, "malformed grpc-timeout")),
    ),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_header_list_is_read_into_what_a_call_needs_of_it(what: str) -> None:
    sent, head = HEADS[what]

    assert read_request_head(Decoder().decode(sent, raw=True)) == head


def test_trailers_with_a_pseudo_header_field_are_malformed() -> None:
    with pytest.raises(StreamFault, match=r"^a pseudo-header field in trailers$"):
        require_trailers([CALL[0]])


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
