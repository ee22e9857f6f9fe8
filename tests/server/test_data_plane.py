"""What both engines promise, over real gRPC channels."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from authz.http2.limits import MAX_MESSAGE_BYTES, MAX_STREAMS_PER_CONNECTION
from authz.server.engine import Engine, Service
from authz.server.grpc_engine import THREADS, GrpcEngine
from tests.fakes.waiting import until
from tests.server.serving import ECHO, ENGINES, JAM, LATER, REFUSE, SECONDS, Running, method, running


@pytest.fixture(params=list(ENGINES))
def make(request: pytest.FixtureRequest) -> Callable[..., Engine]:
    return ENGINES[request.param]


@pytest.fixture
def served(make: Callable[..., Engine]) -> Iterator[Running]:
    with running(make) as one:
        yield one


@pytest.fixture
def channel(served: Running) -> Iterator[grpc.Channel]:
    with served.channel() as one:
        yield one


def status_of(call: Any) -> grpc.StatusCode:
    """How a call that must not succeed ended."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    code: grpc.StatusCode = caught.value.code()
    return code


def test_an_answer_given_at_once_reaches_the_caller(channel: grpc.Channel) -> None:
    assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


def test_an_empty_message_is_a_message(channel: grpc.Channel) -> None:
    assert method(channel, ECHO)(b"", timeout=SECONDS) == b""


def test_many_calls_in_flight_each_get_their_own_answer(channel: grpc.Channel) -> None:
    echo = method(channel, ECHO)
    messages = [b"%d" % number for number in range(MAX_STREAMS_PER_CONNECTION)]

    futures = [echo.future(message, timeout=SECONDS) for message in messages]

    assert [future.result() for future in futures] == [message[::-1] for message in messages]


def test_a_reply_from_another_thread_reaches_the_caller(served: Running, channel: grpc.Channel) -> None:
    future = method(channel, LATER).future(b"abc", timeout=SECONDS)
    until(lambda: served.waiting, SECONDS)

    threading.Thread(target=served.waiting[0].reply, args=(b"at last",)).start()

    assert future.result() == b"at last"


def test_calls_that_wait_do_not_hold_up_others(served: Running, channel: grpc.Channel) -> None:
    waiting = [method(channel, LATER).future(b"", timeout=SECONDS) for _ in range(64)]
    until(lambda: len(served.waiting) == 64, SECONDS)

    assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"

    for call in served.waiting:
        call.reply(b"done")
    assert {future.result() for future in waiting} == {b"done"}
    until(lambda: served.engine.in_flight == 0, SECONDS)


def test_a_second_reply_is_ignored(served: Running, channel: grpc.Channel) -> None:
    future = method(channel, LATER).future(b"", timeout=SECONDS)
    until(lambda: served.waiting, SECONDS)

    served.waiting[0].reply(b"first")
    served.waiting[0].reply(b"second")

    assert future.result() == b"first"
    until(lambda: served.engine.in_flight == 0, SECONDS)


def test_a_handler_may_refuse_with_a_grpc_status(channel: grpc.Channel) -> None:
    assert status_of(lambda: method(channel, REFUSE)(b"", timeout=SECONDS)) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    "name",
    [
        "/envoy.service.auth.v2.Authorization/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Watch",
        "/t.T/echo",
        "/t.T/Echo/",
        "/",
    ],
)
def test_a_method_that_is_not_served_is_unimplemented(channel: grpc.Channel, name: str) -> None:
    assert status_of(lambda: method(channel, name)(b"", timeout=SECONDS)) is grpc.StatusCode.UNIMPLEMENTED
    assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


def test_the_largest_message_is_read_and_a_larger_one_is_resource_exhausted(
    served: Running, channel: grpc.Channel
) -> None:
    largest = bytes(MAX_MESSAGE_BYTES)
    later = method(channel, LATER).future(largest, timeout=SECONDS)
    until(lambda: served.waiting, SECONDS)
    served.waiting[0].reply(b"read")
    assert later.result() == b"read"

    code = status_of(lambda: method(channel, ECHO)(largest + b"x", timeout=SECONDS))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert served.handled == [largest]
    until(lambda: served.engine.in_flight == 0, SECONDS)


def test_a_caller_whose_deadline_passes_is_told_so_and_its_late_reply_is_dropped(
    served: Running, channel: grpc.Channel
) -> None:
    code = status_of(lambda: method(channel, LATER)(b"", timeout=0.3))

    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    served.waiting[0].reply(b"too late")
    until(lambda: served.engine.in_flight == 0, SECONDS)
    assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


def test_a_call_knows_what_is_left_of_its_deadline(served: Running, channel: grpc.Channel) -> None:
    futures = [method(channel, LATER).future(b"", timeout=60), method(channel, LATER).future(b"")]
    until(lambda: len(served.waiting) == 2, SECONDS)

    left = sorted(call.seconds_left() for call in served.waiting)

    assert 40 < left[0] < 70
    assert left[1] > 86_400 * 365
    for call in served.waiting:
        call.reply(b"")
    assert [future.result(SECONDS) for future in futures] == [b"", b""]


@pytest.mark.parametrize(
    ("metadata", "trace"),
    [
        (
            (("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ((), ""),
        ((("other", "x"),), ""),
    ],
)
def test_a_call_knows_its_trace(
    served: Running, channel: grpc.Channel, metadata: tuple[tuple[str, str], ...], trace: str
) -> None:
    future = method(channel, LATER).future(b"", timeout=SECONDS, metadata=metadata)
    until(lambda: served.waiting, SECONDS)

    assert served.waiting[0].traceparent() == trace

    served.waiting[0].reply(b"")
    future.result()


def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_behind(served: Running, channel: grpc.Channel) -> None:
    futures = [method(channel, LATER).future(b"", timeout=SECONDS) for _ in range(20)]
    until(lambda: len(served.waiting) == 20, SECONDS)

    for future in futures:
        future.cancel()
    for call in served.waiting:
        call.reply(b"nobody reads this")

    until(lambda: served.engine.in_flight == 0, SECONDS)
    assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


def test_a_call_whose_message_never_comes_is_dropped_with_its_peer(served: Running) -> None:
    channel = served.channel()
    never = threading.Event()

    def silence() -> Iterator[bytes]:
        never.wait(SECONDS)
        yield from ()

    halves = [channel.stream_unary(ECHO, None, None).future(silence(), timeout=SECONDS) for _ in range(20)]
    until(lambda: served.engine.in_flight == 20, SECONDS)
    with served.channel() as other:
        assert method(other, ECHO)(b"abc", timeout=SECONDS) == b"cba"

    for half in halves:
        half.cancel()  # type: ignore[no-untyped-call]  # grpc-stubs leave it so
    never.set()
    channel.close()

    until(lambda: served.engine.in_flight == 0, SECONDS)
    assert served.handled == [b"abc"]


def test_a_call_that_ends_without_a_message_is_refused(served: Running, channel: grpc.Channel) -> None:
    code = status_of(lambda: channel.stream_unary(ECHO, None, None)(iter(()), timeout=SECONDS))

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert served.handled == []
    until(lambda: served.engine.in_flight == 0, SECONDS)


def test_a_call_one_too_many_is_answered_as_overloaded_at_once_and_the_next_is_served_again(
    make: Callable[..., Engine],
) -> None:
    with running(make, max_in_flight=10) as served, served.channel() as channel:
        waiting = [method(channel, LATER).future(b"", timeout=SECONDS) for _ in range(10)]
        until(lambda: len(served.waiting) == 10, SECONDS)

        assert {method(channel, name)(b"abc", timeout=SECONDS) for name in (ECHO, LATER)} == {b"overloaded"}
        assert len(served.waiting) == 10

        for call in served.waiting:
            call.reply(b"done")
        assert {future.result() for future in waiting} == {b"done"}
        until(lambda: served.engine.in_flight == 0, SECONDS)
        assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


def test_a_flood_is_shed_and_every_call_of_it_gets_an_answer(make: Callable[..., Engine]) -> None:
    with running(make, max_in_flight=20) as served, served.channel() as channel:
        futures = [method(channel, LATER).future(b"", timeout=SECONDS) for _ in range(200)]
        until(lambda: sum(future.done() for future in futures) >= 180, SECONDS)

        assert len(served.waiting) <= 20
        for call in served.waiting:
            call.reply(b"done")

        answers = [future.result() for future in futures]
        assert answers.count(b"done") == len(served.waiting)
        assert set(answers) == {b"done", b"overloaded"}
        until(lambda: served.engine.in_flight == 0, SECONDS)


def test_a_burst_is_seen_as_one_before_any_of_it_is_handled() -> None:
    """Taken up one by one, every call of it would be served, and most after their callers had given up."""
    with running(ENGINES["h2"], max_in_flight=50) as served, served.channel() as channel:
        jam = method(channel, JAM).future(b"", timeout=SECONDS)
        until(lambda: served.engine.in_flight, SECONDS)
        burst = [method(channel, ECHO).future(b"abc", timeout=SECONDS) for _ in range(300)]
        time.sleep(0.3)
        served.gate.set()

        answers = [future.result() for future in burst]
        assert set(answers) == {b"cba", b"overloaded"}
        assert 0 < answers.count(b"cba") < 150  # the socket takes the burst in a few parts
        assert jam.result() == b""


def test_a_call_whose_deadline_passed_before_it_was_looked_at_is_never_handled(make: Callable[..., Engine]) -> None:
    with running(make) as served, served.channel() as channel, served.channel() as another:
        # On two connections, for there are more threads to hold than streams in one.
        both = (channel, another)
        jam = [method(both[number % 2], JAM).future(b"", timeout=SECONDS) for number in range(THREADS)]
        held = THREADS if make is GrpcEngine else 1
        until(lambda: served.engine.in_flight >= held, SECONDS)
        late = [method(channel, ECHO).future(b"late", timeout=0.2) for _ in range(5)]
        assert {future.exception(SECONDS).code() for future in late} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        served.gate.set()

        assert {future.result() for future in jam} == {b""}
        assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"
        assert b"late" not in served.handled


def test_stopping_lets_a_call_in_flight_finish_and_takes_no_new_one(served: Running, channel: grpc.Channel) -> None:
    future = method(channel, LATER).future(b"", timeout=SECONDS)
    until(lambda: served.waiting, SECONDS)

    served.engine.stop(SECONDS)
    with served.channel() as late:
        assert status_of(lambda: method(late, ECHO)(b"", timeout=1)) is grpc.StatusCode.UNAVAILABLE
    served.waiting[0].reply(b"still")

    assert future.result() == b"still"
    served.thread.join(SECONDS)
    assert not served.thread.is_alive()


def test_a_call_still_waiting_when_the_grace_is_over_is_ended(served: Running, channel: grpc.Channel) -> None:
    future = method(channel, LATER).future(b"")
    until(lambda: served.waiting, SECONDS)

    served.stop(0.1)

    assert future.exception(SECONDS) is not None
    assert future.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    served.waiting[0].reply(b"after the end")


def test_stopping_twice_and_before_serving_is_harmless(make: Callable[..., Engine], tmp_path: Path) -> None:
    engine = make(f"unix:{tmp_path / 'e.sock'}", Service({}, lambda _call: b""))

    engine.stop(0.0)
    engine.stop(0.0)
    thread = threading.Thread(target=engine.serve, daemon=True)
    thread.start()
    thread.join(SECONDS)

    assert not thread.is_alive()


def test_stopping_under_load_ends_every_call_with_an_answer_or_unavailable(make: Callable[..., Engine]) -> None:
    for _ in range(5):
        with running(make) as served, served.channel() as channel:
            # Longer than the grace: a call that the public server took up as it stopped is ended only by that.
            futures = [method(channel, ECHO).future(b"abc", timeout=3 * SECONDS) for _ in range(300)]
            served.stop(SECONDS / 5)

            codes = {future.code() for future in futures if future.exception(3 * SECONDS) is not None}
            assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_starting_and_stopping_again_and_again_leaks_nothing(make: Callable[..., Engine]) -> None:
    def once() -> None:
        with running(make) as served, served.channel() as channel:
            assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"

    for _ in range(3):
        once()
    before = (_descriptors(), threading.active_count())
    for _ in range(15):
        once()

    until(lambda: gc.collect() is not None and _descriptors() <= before[0] + 3, SECONDS)
    until(lambda: threading.active_count() <= before[1] + 3, SECONDS)


def test_an_idle_engine_shows_that_it_is_alive(served: Running) -> None:
    before = served.engine.turns

    until(lambda: served.engine.turns > before, SECONDS)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
