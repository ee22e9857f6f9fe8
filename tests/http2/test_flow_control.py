"""Answers keep to the windows and the frame size of the peer (RFC 9113 sections 5.2, 6.9)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from authz.http2 import frames
from authz.http2.frames import ErrorCode, StreamFault, rst_stream, window_update
from authz.http2.outbox import Outbox
from authz.http2.request_head import RequestHead
from authz.http2.stream import CLOSED, SENDING, Request
from tests.http2.talk import END, Frame, Talk, block, call, headers, message

WINDOW = 65_535


def setting(name: int, value: int) -> bytes:
    return frames.settings({name: value})


def sizes(said: Iterable[Frame]) -> list[int]:
    return [len(one.payload) for one in said if one.kind == frames.DATA]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def answered(talk: Talk, stream_id: int, text: bytes) -> Request:
    (request,) = talk.send(call(stream_id))
    talk.connection.send_message(request, text)
    return request


def test_an_answer_is_split_into_frames_that_the_peer_takes(talk: Talk) -> None:
    answered(talk, 1, bytes(40_000))

    said = talk.said()
    assert sizes(said) == [16_384, 16_384, 40_005 - 2 * 16_384]
    assert [one.flags for one in said] == [frames.END_HEADERS, 0, 0, 0, frames.END_HEADERS | END]


def test_a_peer_may_take_larger_frames(talk: Talk) -> None:
    talk.send(setting(frames.MAX_FRAME_SIZE, 50_000))

    answered(talk, 1, bytes(40_000))

    assert sizes(talk.said()) == [40_005]


def test_an_answer_waits_for_the_window_of_its_stream(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 3))

    request = answered(talk, 1, b"abc")
    first = talk.said()
    talk.send(window_update(1, 4))
    second = talk.said()
    talk.send(window_update(1, 1))
    third = talk.said()
    talk.send(window_update(0, 1))

    assert talk.said() == []
    assert [one.kind for one in first] == [frames.SETTINGS, frames.HEADERS, frames.DATA]
    assert b"".join(one.payload for one in (*first[2:], *second, third[0])) == message(b"abc")
    assert third[1].flags & END
    assert request.state == CLOSED
    assert talk.connection.is_idle


def test_answers_wait_for_the_window_of_the_connection_and_others_do_too(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 10 * WINDOW))
    answered(talk, 1, bytes(WINDOW - 10))
    answered(talk, 3, b"abcdef")
    assert sum(sizes(talk.said())) == WINDOW

    talk.send(window_update(0, 5))
    assert sizes(talk.said()) == [5]
    talk.send(window_update(0, 500))

    assert sizes(talk.said()) == [1]
    assert talk.connection.is_idle


def test_settings_make_windows_smaller_and_even_negative_and_then_larger(talk: Talk) -> None:
    """RFC 9113 section 6.9.2."""
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 10))
    answered(talk, 1, bytes(20))
    assert sizes(talk.said()) == [10]

    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 2))
    talk.send(window_update(1, 8))
    assert sizes(talk.said()) == []
    talk.send(window_update(1, 1))
    assert sizes(talk.said()) == [1]
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 100))

    assert sizes(talk.said()) == [14]
    assert talk.connection.is_idle


@pytest.mark.parametrize("count", [6, 7])
def test_many_small_answers_use_up_the_window_of_the_connection(talk: Talk, count: int) -> None:
    """One answer after the other may use all of it. The next one waits."""
    talk.send(window_update(0, 3))
    size = (WINDOW + 3) // 6 - 5

    requests = [answered(talk, 2 * number + 1, bytes(size)) for number in range(count)]

    assert sum(sizes(talk.said())) == min(WINDOW + 3, count * (size + 5))
    assert [request.state for request in requests] == ([CLOSED] * 6 + [SENDING])[:count]


def test_a_window_of_the_connection_that_grows_keeps_what_is_left(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 10 * WINDOW), window_update(0, 5), window_update(0, 5))

    answered(talk, 1, bytes(WINDOW + 5))

    assert sum(sizes(talk.said())) == WINDOW + 10


def test_a_window_that_grew_before_the_answer_counts(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 0), headers(1), window_update(1, 8))
    (request,) = talk.send(call(1)[len(headers(1)) :])

    talk.connection.send_message(request, b"abc")

    assert sizes(talk.said()) == [8]


def test_an_empty_answer_is_an_answer(talk: Talk) -> None:
    answered(talk, 1, b"")

    assert sizes(talk.said()) == [5]


def test_an_http_body_keeps_to_the_windows_too(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 1), headers(1, block(method="GET"), frames.END_HEADERS | END))
    first = talk.said()
    assert (sizes(first), first[-1].flags) == ([1], 0)

    talk.send(window_update(1, 1000))

    (rest,) = talk.said()
    assert rest.flags == END
    assert talk.connection.is_idle


def test_an_answer_that_is_reset_while_it_waits_is_forgotten(talk: Talk) -> None:
    talk.send(setting(frames.INITIAL_WINDOW_SIZE, 1))
    request = answered(talk, 1, b"abc")
    talk.said()

    assert talk.send(rst_stream(1, ErrorCode.CANCEL)) == []
    talk.send(window_update(0, 10), setting(frames.INITIAL_WINDOW_SIZE, 100))

    assert sizes(talk.said()) == []
    assert request.state == CLOSED


def test_the_block_after_the_peer_made_our_table_smaller_says_so(talk: Talk) -> None:
    """RFC 9113 section 4.3.1. hpack's decoder refuses the block otherwise."""
    talk.send(setting(frames.HEADER_TABLE_SIZE, 0))
    talk.decoder.max_allowed_table_size = 0

    answered(talk, 1, b"abc")
    answered(talk, 3, b"abc")

    said = [one for one in talk.said() if one.kind == frames.HEADERS]
    assert [one.payload[:1] == b"\x20" for one in said] == [True, False, False, False]
    blocks = [talk.fields(one) for one in said]
    assert [fields.get(b":status", fields.get(b"grpc-status")) for fields in blocks] == [b"200", b"0"] * 2


def test_a_window_that_grows_too_large_is_a_fault_of_the_stream() -> None:
    request = Request(1, RequestHead("", 0.0, "", None, None), 0.0)
    outbox = Outbox()
    outbox.widen_stream(request, 2**31 - 1 - WINDOW)

    with pytest.raises(StreamFault, match=r"^a stream's window is too large$"):
        outbox.widen_stream(request, 1)
