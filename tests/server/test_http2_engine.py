"""The loop around the protocol object, over real sockets, with clients that no gRPC library would be."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import grpc
import pytest

from authz.http2 import frames
from authz.http2.connection import Connection
from authz.http2.frames import ErrorCode, goaway
from authz.server import http2_engine
from authz.server.http2_engine import FLUSH_AFTER, Http2Engine
from tests.fakes.waiting import until
from tests.http2.talk import SETTINGS, SETTINGS_ACK, block, data, headers, message
from tests.server.serving import ECHO, JAM, LATER, SECONDS, Running, method, running

HELLO = frames.PREFACE + SETTINGS + SETTINGS_ACK


@pytest.fixture
def served() -> Iterator[Running]:
    with running(Http2Engine) as one:
        yield one


@contextmanager
def connected(served: Running, hello: bytes = HELLO) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(SECONDS)
        one.connect(served.address.removeprefix("unix:"))
        if hello:  # the server may have closed it already
            one.sendall(hello)
        yield one


def call(stream_id: int, text: bytes = b"abc", name: str = ECHO, timeout: str = "") -> bytes:
    return headers(stream_id, block(path=name, grpc_timeout=timeout)) + data(stream_id, message(text))


def read_until(one: socket.socket, wanted: bytes, times: int = 1) -> bytes:
    """Everything up to the bytes that are waited for; what there was if the connection ends first."""
    seen = b""
    while seen.count(wanted) < times:
        more = one.recv(65_536)
        if not more:
            break
        seen += more
    return seen


def echoes(served: Running) -> bool:
    with served.channel() as channel:
        return bool(method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba")


def test_a_call_that_comes_one_byte_at_a_time_is_answered(served: Running) -> None:
    with connected(served, b"") as one:
        for byte in HELLO + call(1):
            one.sendall(bytes((byte,)))

        assert message(b"cba") in read_until(one, b"grpc-status\x010")


def test_a_large_answer_reaches_a_slow_reader_in_parts(served: Running) -> None:
    large = bytes(3_000_000)
    with connected(served) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(frames.settings({4: 2**31 - 1, 5: 2**24 - 1}) + frames.window_update(0, 2**31 - 1 - 65_535))
        parts = [data(1, message(large)[at : at + 16_384], 0) for at in range(0, len(large) + 5, 16_384)]
        sender = threading.Thread(
            target=one.sendall, args=(headers(1, block(path=ECHO)) + b"".join(parts) + data(1, b""),)
        )
        sender.start()

        seen = read_until(one, b"grpc-status\x010")

        sender.join(SECONDS)
        assert len(seen) > len(large)
    assert echoes(served)


def test_a_client_that_does_not_read_is_not_read_and_is_closed_in_time(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_engine, "UNREAD_SECONDS", 0.5)
    with connected(served) as one:
        one.sendall(frames.settings({4: 2**31 - 1}) + frames.window_update(0, 2**31 - 1 - 65_535))
        text, sent = bytes(16_000), 0
        one.settimeout(0.5)
        with suppress(OSError):
            for stream_id in range(1, 2**20, 2):
                one.sendall(call(stream_id, text))
                sent += 1
        assert echoes(served)
        assert sent < 500

        until(lambda: served.engine.ended["unread_socket"] == 1, SECONDS)


def test_answers_of_a_burst_are_written_before_all_of_it_is_decided(served: Running) -> None:
    with connected(served) as one:
        burst = [call(2 * number + 1) for number in range(FLUSH_AFTER)]
        one.sendall(b"".join(burst) + call(2 * FLUSH_AFTER + 1, name=JAM))

        seen = read_until(one, b"grpc-status\x010", FLUSH_AFTER)

        assert seen.count(message(b"cba")) == FLUSH_AFTER
        assert not served.gate.is_set()


def test_a_call_whose_message_does_not_come_ends_within_a_second(served: Running) -> None:
    with connected(served) as one:
        began = time.monotonic()
        one.sendall(headers(1, block(path=ECHO)))

        seen = read_until(one, b"grpc-status\x014")

        assert b"no message came in time" in seen
        assert time.monotonic() - began < SECONDS
        assert served.engine.ended["no_message"] == 1
    assert served.handled == []


def test_a_reply_that_does_not_come_before_the_deadline_is_given_up(served: Running) -> None:
    with connected(served) as one:
        one.sendall(call(1, name=LATER, timeout="300m"))

        assert b"grpc-status\x014" in read_until(one, b"grpc-status\x014")
        served.waiting[0].reply(b"late")
        one.sendall(call(3))
        assert b"late" not in read_until(one, message(b"cba"))
    assert served.engine.in_flight == 0


def test_a_call_whose_deadline_has_passed_is_never_handled(served: Running) -> None:
    with connected(served) as one:
        one.sendall(call(1, timeout="0m") + call(3, b"xyz"))

        read_until(one, message(b"zyx"))

    assert served.handled == [b"xyz"]


def test_a_peer_that_breaks_the_protocol_is_told_and_closed(served: Running) -> None:
    with connected(served) as one:
        one.sendall(frames.frame(frames.PING, 0, 1, bytes(8)))

        seen = read_until(one, b"\0never")

        assert seen.endswith(goaway(0, ErrorCode.PROTOCOL_ERROR, "PING on a stream"))
        assert one.recv(100) == b""
        one.sendall(b"more")
    assert echoes(served)


def test_a_fault_of_ours_ends_one_connection(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Connection.receive_data

    def broken(self: Connection, raw: bytes, now: float) -> object:
        if b"poison" in raw:
            raise ZeroDivisionError
        return receive(self, raw, now)

    monkeypatch.setattr(Connection, "receive_data", broken)
    with connected(served) as one:
        one.sendall(call(1, b"poison"))

        assert goaway(0, ErrorCode.INTERNAL_ERROR, "internal error") in read_until(one, b"\0never")

    assert echoes(served)
    assert served.engine.ended["internal"] == 1


def test_one_connection_too_many_takes_the_place_of_the_one_that_is_idle_for_longest(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_engine, "MAX_CONNECTIONS", 3)
    with ExitStack() as stack:
        busy = stack.enter_context(connected(served))
        busy.sendall(call(1, name=LATER))
        until(lambda: served.waiting, SECONDS)
        idle = stack.enter_context(connected(served))
        read_until(idle, SETTINGS_ACK)
        silent = stack.enter_context(connected(served, b""))

        with served.channel() as channel:
            assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"
            assert read_until(silent, b"\0never").count(b"") > 0  # the end of the connection

        idle.sendall(call(1))
        assert message(b"cba") in read_until(idle, message(b"cba"))
        served.waiting[0].reply(b"late")
        assert message(b"late") in read_until(busy, message(b"late"))


def test_a_connection_is_closed_at_once_if_every_other_one_is_at_work(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_engine, "MAX_CONNECTIONS", 1)
    with connected(served) as busy:
        busy.sendall(call(1, name=LATER))
        until(lambda: served.waiting, SECONDS)

        with connected(served, b"") as refused:
            assert refused.recv(100) == b""

        served.waiting[0].reply(b"late")
        assert message(b"late") in read_until(busy, message(b"late"))


def test_without_file_descriptors_the_connections_that_are_there_are_served_and_others_later(served: Running) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with connected(served) as busy, socket.socket(socket.AF_UNIX) as later:
        busy.sendall(call(1, name=LATER))
        until(lambda: served.waiting, SECONDS)
        with socket.socket() as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), hard))
        try:
            later.settimeout(SECONDS)
            later.connect(served.address.removeprefix("unix:"))
            later.sendall(HELLO + call(1))
            turns = served.engine.turns
            time.sleep(0.5)
            assert served.engine.turns - turns < 50
            served.waiting[0].reply(b"late")
            assert message(b"late") in read_until(busy, message(b"late"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert message(b"cba") in read_until(later, message(b"cba"))


def test_a_client_that_says_nothing_does_not_hold_up_the_end(served: Running) -> None:
    with connected(served, b""), connected(served) as one:
        read_until(one, SETTINGS_ACK)
        began = time.monotonic()

        served.stop(SECONDS)

        assert time.monotonic() - began < SECONDS / 2
        assert goaway(0, ErrorCode.NO_ERROR) in read_until(one, b"\0never")


def test_a_client_that_learns_of_the_end_sends_no_more_and_loses_nothing(served: Running) -> None:
    with served.channel() as channel:
        futures = [method(channel, ECHO).future(b"abc", timeout=SECONDS) for _ in range(100)]
        served.engine.stop(SECONDS)

        done = [future for future in futures if future.exception(SECONDS) is None]
        codes = {future.code() for future in futures} - {grpc.StatusCode.OK}

    assert all(future.result() == b"cba" for future in done)
    assert codes <= {grpc.StatusCode.UNAVAILABLE}
    served.thread.join(SECONDS)
    assert not served.thread.is_alive()
