"""What one peer may take: each limit is reached, counted, and not reached one step before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authz.http2 import frames, limits
from authz.http2.connection import Connection
from authz.http2.frames import ErrorCode, frame, rst_stream, window_update
from authz.http2.limits import Shared
from tests.http2.talk import ALL, END, SETTINGS, Talk, block, call, data, headers, literal, message

CALM = ErrorCode.ENHANCE_YOUR_CALM


def _reset(number: int) -> bytes:
    return headers(2 * number + 3) + rst_stream(2 * number + 3, ErrorCode.CANCEL)


FLOODS: dict[str, tuple[str, int, Callable[[int], bytes]]] = {
    "CVE-2023-44487 rapid reset": ("resets", limits.MAX_RESETS, _reset),
    "CVE-2019-9514 streams that we have to reset": (
        "resets",
        limits.MAX_RESETS,
        lambda number: headers(2 * number + 3, block(connection="close")),
    ),
    "CVE-2025-8671 streams that we are made to reset": (
        "resets",
        limits.MAX_RESETS,
        lambda number: headers(2 * number + 3) + window_update(2 * number + 3, 0),
    ),
    "messages that we have to refuse": (
        "resets",
        limits.MAX_RESETS,
        lambda number: headers(2 * number + 3) + data(2 * number + 3, b"\xff", 0),
    ),
    "CVE-2019-9512 PING": ("pings", limits.MAX_PINGS, lambda _: frame(frames.PING, 0, 0, bytes(8))),
    "CVE-2019-9515 SETTINGS": ("settings", limits.MAX_SETTINGS - 2, lambda _: SETTINGS),
    "CVE-2019-9518 empty DATA": ("empty_frames", limits.MAX_EMPTY_FRAMES, lambda _: data(1, b"", 0)),
    "CVE-2019-9513 PRIORITY": (
        "idle_frames",
        limits.MAX_IDLE_FRAMES,
        lambda _: frame(frames.PRIORITY, 0, 1, bytes(5)),
    ),
    "CVE-2019-9511 WINDOW_UPDATE": ("idle_frames", limits.MAX_IDLE_FRAMES, lambda _: window_update(0, 1)),
    "unknown frames": ("idle_frames", limits.MAX_IDLE_FRAMES, lambda _: frame(0xEE, 0, 0)),
    "GOAWAY": ("idle_frames", limits.MAX_IDLE_FRAMES, lambda _: frame(frames.GOAWAY, 0, 0, bytes(8))),
}


def test_every_cause_has_a_counter_before_anything_ended() -> None:
    assert dict(Shared().ended) == dict.fromkeys(limits.CAUSES, 0)


@pytest.mark.parametrize("answered", [0, 3])
@pytest.mark.parametrize("attack", FLOODS)
def test_a_flood_ends_the_connection_and_is_counted(attack: str, answered: int) -> None:
    cause, limit, attacks = FLOODS[attack]
    talk = Talk()
    talk.send(headers(1))
    for number in range(answered):
        (request,) = talk.send(call(5001 + 2 * number))
        if number == 1:
            talk.connection.send_message(request, b"")
        else:
            talk.connection.send_status(request, 0, "")
    first = 5000 if answered else 0
    allowed = limit + answered * (1 if cause == "resets" else limits.FRAMES_PER_ANSWER)

    for number in range(allowed):
        talk.send(attacks(first + number))
    assert not talk.connection.is_closed
    talk.send(attacks(first + allowed))

    last = talk.said()[-1]
    assert (last.code, last.payload[8:].decode()) == (CALM, f"too many {cause.replace('_', ' ')}")
    assert talk.ended == {cause: 1}
    assert talk.shared.unfinished_calls == 0


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        (limits.MAX_CONTINUATIONS * [b""], None),
        ((limits.MAX_CONTINUATIONS + 1) * [b""], "continuations"),
        ([bytes(limits.MAX_HEADER_BLOCK_BYTES - 1)], "header_list"),
        ([bytes(limits.MAX_HEADER_BLOCK_BYTES)], "continuations"),
    ],
    ids=["most frames", "a frame too many", "longest block", "a byte too many"],
)
def test_continuations_without_end_end_the_connection(parts: list[bytes], cause: str | None) -> None:
    """CVE-2024-27316. The longest block of NUL contains too many fields, so it ends the connection too."""
    talk = Talk()
    *first, last = parts

    talk.send(headers(1, b"\x20", 0), *(frame(frames.CONTINUATION, 0, 1, part) for part in first))
    assert talk.ended == {}
    talk.send(frame(frames.CONTINUATION, ALL, 1, last + (block()[1:] if cause is None else b"")))

    assert talk.ended == ({cause: 1} if cause else {})
    if cause == "continuations":
        said = talk.said()[-1]
        assert (said.code, said.payload[8:]) == (CALM, b"header block too long")


def test_a_header_list_that_is_too_long_ends_the_connection_before_it_is_held() -> None:
    """CVE-2016-6581: small references to one large field."""
    talk = Talk(hello=frames.PREFACE + SETTINGS)
    large = b"\x40" + literal(b"x", b"")[1:-1] + b"\x7f\xa1\x1e" + b"v" * 4000

    talk.send(headers(1, block()[1:] + large + b"\xbe" * 10))

    last = talk.said()[-1]
    assert (last.code, last.payload[8:]) == (CALM, b"header list too long")
    assert talk.ended == {"header_list": 1}


def test_the_longest_header_list_is_read_in_two_frames() -> None:
    long = block() + b"\0\x01x" + b"\x7f\x81\x7b" + b"v" * (15_872)

    (request,) = Talk().send(
        headers(1, long[:16_000], 0), frame(frames.CONTINUATION, ALL, 1, long[16_000:]), data(1, message(b""))
    )

    assert request.head.path == "/t.T/Echo"


def test_a_stream_too_many_is_refused_and_one_that_ends_makes_room() -> None:
    talk = Talk()
    for number in range(limits.MAX_STREAMS_PER_CONNECTION):
        talk.send(headers(2 * number + 1))

    talk.send(headers(5001), data(5001, message(b"")))

    assert [(one.stream_id, one.code) for one in talk.said()] == [(5001, ErrorCode.REFUSED_STREAM)]
    talk.send(rst_stream(1, ErrorCode.CANCEL))
    assert len(talk.send(call(5003))) == 1


def test_unfinished_messages_of_all_connections_are_bounded_together() -> None:
    talk = Talk()
    talk.shared.unfinished_bytes = limits.MAX_UNFINISHED_BYTES - 10

    talk.send(headers(), data(1, message(bytes(100))[:10], 0))
    assert talk.said() == []
    talk.send(data(1, b"x", 0))

    assert talk.answer()[b"grpc-status"] == b"8"
    assert talk.ended == {"unfinished_bytes": 1}
    assert talk.shared.unfinished_bytes == limits.MAX_UNFINISHED_BYTES - 10


def test_a_call_whose_message_does_not_come_ends_in_time_and_others_stay() -> None:
    talk = Talk()
    talk.send(headers(1), data(1, message(b"abc")[:6], 0), now=1.0)
    talk.send(headers(3), now=1.8)
    (whole,) = talk.send(call(5), now=1.0)

    assert talk.connection.expire(1.0 + limits.MESSAGE_SECONDS) == []
    assert talk.said() == []
    talk.connection.expire(1.1 + limits.MESSAGE_SECONDS)

    assert talk.answer()[b"grpc-status"] == b"4"
    assert talk.ended == {"no_message": 1}
    assert talk.shared.unfinished_calls == 1
    assert talk.connection._streams.keys() == {3, whole.stream_id}


def test_a_body_that_does_not_come_is_told_so_in_http() -> None:
    talk = Talk()
    talk.send(headers(1, block(content_type="text/html")))

    talk.connection.expire(2.0)

    assert talk.answer()[b":status"] == b"408"


@pytest.mark.parametrize("hello", [b"", frames.PREFACE, frames.PREFACE + SETTINGS])
def test_a_peer_that_does_not_open_the_connection_in_time_is_sent_away(hello: bytes) -> None:
    talk = Talk(hello=hello)

    talk.connection.expire(limits.SETTINGS_ACK_SECONDS)
    assert not talk.connection.is_closed
    talk.connection.expire(limits.SETTINGS_ACK_SECONDS + 1)
    talk.connection.expire(limits.SETTINGS_ACK_SECONDS + 2)

    (last,) = talk.said()
    assert (last.code, last.payload[8:]) == (ErrorCode.SETTINGS_TIMEOUT, b"settings were not acknowledged")
    assert talk.ended == {"settings_timeout": 1}


def test_a_connection_that_was_opened_in_time_stays() -> None:
    talk = Talk()

    talk.connection.expire(limits.SETTINGS_ACK_SECONDS + 1)

    assert (talk.said(), talk.ended) == ([], {})


def test_the_time_to_open_a_connection_begins_with_the_connection() -> None:
    connection = Connection(Shared(), {}, 1000.0)

    connection.expire(1000.0 + limits.SETTINGS_ACK_SECONDS)
    assert not connection.is_closed
    connection.expire(1000.1 + limits.SETTINGS_ACK_SECONDS)

    assert connection.is_closed


def test_an_answer_waits_from_the_time_when_it_was_sent() -> None:
    """The time of a response is the last one that the connection was told."""
    talk = Talk()
    talk.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 3}))
    (request,) = talk.send(call(), now=1.0)
    talk.connection.expire(4.0)
    talk.connection.send_message(request, b"abc")
    talk.said()

    talk.connection.expire(4.0 + limits.SEND_SECONDS)
    assert talk.said() == []
    talk.connection.expire(4.1 + limits.SEND_SECONDS)

    assert [one.code for one in talk.said()] == [ErrorCode.CANCEL]


def test_an_answer_that_nobody_makes_room_for_is_given_up() -> None:
    talk = Talk()
    talk.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 3}))
    (request,) = talk.send(call(), now=1.0)
    talk.connection.send_message(request, b"abc")
    talk.said()

    talk.connection.expire(1.0 + limits.SEND_SECONDS)
    assert talk.said() == []
    talk.connection.expire(1.1 + limits.SEND_SECONDS)

    assert [one.code for one in talk.said()] == [ErrorCode.CANCEL]
    assert talk.ended == {"unread_answer": 1}
    assert talk.connection.is_idle


def block_of(size: int) -> bytes:
    """A block of exactly so many bytes, with one long value (RFC 7541 section 5.1: 127 and two bytes more)."""
    length = size - len(block()) - 6
    return block() + b"\0\x01y\x7f" + bytes((0x80 | (length - 127) & 0x7F, (length - 127) >> 7)) + b"v" * length


def test_remembered_blocks_are_bounded_in_number_and_length() -> None:
    talk = Talk()
    for number in range(limits.MAX_REMEMBERED_BLOCKS + 20):
        talk.send(headers(2 * number + 1, block(x=str(number)), ALL | END))
    for stream_id, size in (5001, limits.MAX_REMEMBERED_BLOCK_BYTES), (5003, limits.MAX_REMEMBERED_BLOCK_BYTES + 1):
        talk.send(headers(stream_id, block_of(size), ALL | END))

    assert len(talk.remembered) == limits.MAX_REMEMBERED_BLOCKS
    assert list(talk.remembered)[:1] == [block(x="21")]
    assert max(map(len, talk.remembered)) == limits.MAX_REMEMBERED_BLOCK_BYTES


def test_a_remembered_block_serves_other_connections_once_they_have_acknowledged() -> None:
    one, other = Talk(), Talk()
    other.connection._blocks._remembered = one.remembered
    one.send(call(1))
    other.send(call(1))
    remembered = one.remembered[block()]

    (request,) = other.send(call(3))

    assert request.head is remembered


@pytest.mark.parametrize(("table_size", "is_remembered"), [(0, True), (1, False), (4096, False)])
def test_blocks_are_remembered_only_if_no_table_connects_them(table_size: int, *, is_remembered: bool) -> None:
    talk = Talk(table_size=table_size)

    (request,) = talk.send(call(1))
    talk.send(call(3))

    assert talk.remembered == ({block(): request.head} if is_remembered else {})


def test_a_flood_may_be_noticed_while_looking_at_the_time() -> None:
    talk = Talk()
    talk.connection._spent["resets"] = limits.MAX_RESETS
    talk.send(headers(1), now=0.0)

    talk.connection.expire(5.0)

    assert talk.connection.is_closed
    assert talk.said()[-1].code == CALM
