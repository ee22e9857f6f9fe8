from __future__ import annotations

from threading import Thread

from authz.sources.fetch_limiter import FetchLimiter
from tests.fakes.clock import FakeClock


def _open_gate(clock: FakeClock) -> FetchLimiter:
    gate = FetchLimiter(5.0, clock.monotonic)
    gate.open()
    return gate


def test_the_second_who_asks_joins_the_fetch_under_way(clock: FakeClock) -> None:
    gate = _open_gate(clock)

    first, begins = gate.join_or_begin()
    second, begins_again = gate.join_or_begin()

    assert first is not None
    assert first is second
    assert (begins, begins_again) == (True, False)
    assert not first.done()
    gate.end()
    assert first.result(0) is None


def test_none_is_let_through_within_the_cool_down_and_one_right_after(clock: FakeClock) -> None:
    gate = _open_gate(clock)
    gate.begin()
    gate.end()

    clock.advance(4.999)
    assert gate.join_or_begin() == (None, False)
    clock.advance(0.002)
    assert gate.join_or_begin()[1]


def test_the_background_takes_over_the_fetch_that_a_request_began(clock: FakeClock) -> None:
    gate = _open_gate(clock)
    asked, _ = gate.join_or_begin()
    began = clock.monotonic()
    clock.advance(1)

    assert gate.begin() == began
    gate.end()
    assert asked is not None
    assert asked.done()


def test_one_who_gives_up_waiting_takes_nothing_from_the_others(clock: FakeClock) -> None:
    asked, _ = _open_gate(clock).join_or_begin()

    assert asked is not None
    assert not asked.cancel()
    assert not asked.cancelled()


def test_a_gate_that_is_not_open_lets_none_through_and_closing_releases_who_waits(clock: FakeClock) -> None:
    gate = FetchLimiter(5.0, clock.monotonic)
    assert gate.join_or_begin() == (None, False)
    gate.open()
    asked, _ = gate.join_or_begin()

    gate.close()

    assert asked is not None
    assert asked.done()
    clock.advance(60)
    assert gate.join_or_begin() == (None, False)


def test_many_threads_asking_at_once_begin_one_fetch_and_are_all_counted(clock: FakeClock) -> None:
    gate = _open_gate(clock)
    begun: list[bool] = []

    def ask() -> None:
        begun.extend(gate.join_or_begin()[1] for _ in range(2000))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert begun.count(True) == 1
    assert gate.asked == 16_000
