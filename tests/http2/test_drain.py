"""A server that leaves: GOAWAY twice, and what came in between is served (RFC 9113 section 6.8)."""

from __future__ import annotations

from authz.http2 import frames
from authz.http2.connection import Connection
from authz.http2.frames import frame
from authz.http2.limits import Shared
from tests.http2.talk import Talk, call


def test_a_server_that_leaves_says_so_twice_and_serves_what_came_in_between() -> None:
    talk = Talk()
    (first,) = talk.send(call(1))

    talk.connection.start_drain()
    talk.connection.start_drain()
    warning, ping = talk.said()
    talk.send(frame(frames.PING, frames.ACK, 0, b"12345678"))
    (second,) = talk.send(call(3))
    talk.send(frame(frames.PING, frames.ACK, 0, ping.payload))
    (last,) = talk.said()
    talk.send(call(5))

    assert (warning.kind, warning.code, warning.payload[:4]) == (frames.GOAWAY, 0, b"\x7f\xff\xff\xff")
    assert (ping.kind, ping.flags, ping.stream_id) == (frames.PING, 0, 0)
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

    said = talk.said()
    assert [one.kind for one in said] == [frames.GOAWAY, frames.PING, frames.GOAWAY]
    assert said[-1].payload == bytes(8)
    assert talk.connection.is_drained
    assert not ended.is_drained
