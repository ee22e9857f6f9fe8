"""Lines are written together by a thread of their own: all of them, in order, and never at the cost of who logs."""

from __future__ import annotations

import io
import json
import threading

import pytest

from authz.observe import log as log_module
from authz.observe.log import Log
from tests.fakes.waiting import until


class StalledStream(io.StringIO):
    """A collector that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck = threading.Event()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.is_stuck.set()
        self.let_go.wait(10)
        return super().write(text)


class BrokenStream(io.StringIO):
    """A collector that went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def numbers(stream: io.StringIO) -> list[int]:
    return [json.loads(line)["number"] for line in stream.getvalue().splitlines()]


def test_every_event_before_the_end_is_written_in_order() -> None:
    stream = io.StringIO()
    log = Log("info", "json", stream)

    for number in range(1000):
        log.event("info", "something", {"number": number})
    log.close()

    assert numbers(stream) == list(range(1000))
    assert log.dropped == 0


def test_single_event_is_written_without_another_to_push_it() -> None:
    stream = io.StringIO()
    log = Log("info", "json", stream)

    for number in range(3):
        log.event("info", "something", {"number": number})
        until(lambda: number in numbers(stream))  # noqa: B023 - asked for before the next round

    log.close()


def test_stalled_collector_costs_lines_beyond_the_bound_and_nobody_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "MAX_QUEUED_LINES", 5)
    stream = StalledStream()
    log = Log("info", "json", stream)
    log.event("info", "something", {"number": -1})
    stream.is_stuck.wait(10)

    for number in range(8):
        log.event("info", "something", {"number": number})

    assert log.dropped == 3
    stream.let_go.set()
    log.close()
    assert numbers(stream) == [-1, 0, 1, 2, 3, 4]


def test_lines_that_a_broken_collector_does_not_take_are_counted() -> None:
    log = Log("info", "json", BrokenStream())

    for _ in range(4):
        log.event("info", "something", {})
    log.close()

    assert log.dropped == 4


def test_event_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log = Log("warning", "json", stream)

    for level in ("debug", "info", "warning", "error"):
        log.event(level, "something", {"number": len(level)})
    log.close()

    assert numbers(stream) == [len("warning"), len("error")]
