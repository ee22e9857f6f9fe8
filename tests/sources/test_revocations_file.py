"""The list in a file: read at start, again when it changes, and kept when the file is no longer good."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authz.core.revocations import MAX_DOCUMENT_BYTES, UNREAD
from authz.sources import files
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchResult
from authz.sources.revocations_file import RESULTS, RevocationsFile
from tests.fakes.clock import FakeClock
from tests.fakes.waiting import until
from tests.sources.conftest import Event


def _document(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"revoked": list(entries)}).encode()


A, B = {"jti": "a"}, {"sub": "b", "issuer": "idp", "issued_before": 1_800_000_000}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "revocations.json"
    path.write_bytes(_document(A))
    return path


@pytest.fixture
def source(path: Path, background: Background, events: list[Event], still: Environment) -> Iterator[RevocationsFile]:
    source = RevocationsFile(
        str(path),
        frozenset({"idp"}),
        background,
        log=lambda name, fields: events.append((name, fields)),
        environment=still,
    )
    yield source
    source.close()


def _start(source: RevocationsFile, background: Background) -> RevocationsFile:
    background.submit(source.start()).result(5)
    return source


def _looks(source: RevocationsFile) -> int:
    return sum(source.report().loads.values())


def _pass(clock: FakeClock, source: RevocationsFile, loads: int) -> None:
    def loaded_after_another_look() -> bool:
        clock.advance(0.5)
        return _looks(source) >= loads

    until(loaded_after_another_look)


def _stay(clock: FakeClock, source: RevocationsFile) -> None:
    """Let some looks pass without a reading."""
    before = _looks(source)
    for _look in range(6):
        clock.advance(0.5)
        time.sleep(0.02)  # for the look itself
    assert _looks(source) == before


def test_list_is_there_when_start_has_ended(
    source: RevocationsFile, background: Background, events: list[Event]
) -> None:
    _start(source, background)

    assert len(source.current) == 1
    assert source.report().read
    assert source.report().last_success == 1_800_000_000.0
    assert events == [("revocations_loaded", {"file": source.path, "entries": 1, "unknown_issuers": []})]


def test_changed_file_counts_at_the_next_look(
    source: RevocationsFile, background: Background, clock: FakeClock, path: Path
) -> None:
    _start(source, background)
    path.write_bytes(_document(A, B))

    _pass(clock, source, 2)

    assert len(source.current) == 2


def test_configmap_style_symlink_swap_is_a_change(
    background: Background, events: list[Event], still: Environment, clock: FakeClock, tmp_path: Path
) -> None:
    for name, document in (("1", _document(A)), ("2", _document(A, B))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list.json").write_bytes(document)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "list.json").symlink_to("..data/list.json")
    source = RevocationsFile(
        str(tmp_path / "list.json"),
        frozenset(),
        background,
        log=lambda name, fields: events.append((name, fields)),
        environment=still,
    )
    _start(source, background)

    (tmp_path / "..next").symlink_to("2")
    (tmp_path / "..next").replace(tmp_path / "..data")
    _pass(clock, source, 2)

    assert len(source.current) == 2
    source.close()


def test_unchanged_file_is_not_read_again(source: RevocationsFile, background: Background, clock: FakeClock) -> None:
    _start(source, background)
    held = source.current

    _stay(clock, source)

    assert source.current is held


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b'{"revoked": [{"jti": "a"}', "malformed"),
        (b"", "malformed"),
        (b'{"revoked": [{"jtii": "a"}]}', "malformed"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "too_large"),
        (None, "file_unreadable"),
    ],
    ids=["half-written", "empty", "mistyped", "huge", "gone"],
)
def test_file_that_cannot_be_used_leaves_the_last_good_list_in_force_and_is_reported_once(
    source: RevocationsFile,
    background: Background,
    clock: FakeClock,
    path: Path,
    events: list[Event],
    content: bytes | None,
    result: str,
) -> None:
    held = _start(source, background).current
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    _pass(clock, source, 2)
    _stay(clock, source)

    assert source.current is held
    assert source.report().loads[FetchResult(result)] == 1
    name, fields = events[-1]
    assert (name, fields["result"], fields["serving"]) == ("revocations_failed", result, True)
    assert len(events) == 2


def test_good_file_after_a_bad_one_is_read(
    source: RevocationsFile, background: Background, clock: FakeClock, path: Path
) -> None:
    path.write_bytes(b"{")
    assert _start(source, background).current is UNREAD

    path.write_bytes(_document(A, B))
    _pass(clock, source, 2)

    assert len(source.current) == 2


def test_missing_file_at_start_leaves_a_list_that_refuses(
    source: RevocationsFile, background: Background, path: Path, events: list[Event]
) -> None:
    path.unlink()

    _start(source, background)

    assert source.current is UNREAD
    status = source.report()
    assert (status.read, status.entries, status.last_success) == (False, 0, None)
    assert events[-1][1]["serving"] is False


def test_fifo_in_place_of_the_file_does_not_hang(source: RevocationsFile, background: Background, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)

    _start(source, background)

    assert source.report().loads[FetchResult.FILE_UNREADABLE] == 1


def test_entries_for_issuers_that_are_not_configured_are_named(
    source: RevocationsFile, background: Background, path: Path, events: list[Event]
) -> None:
    path.write_bytes(_document(A, B, {"jti": "c", "issuer": "cogntio"}))

    _start(source, background)

    assert events[-1][1]["unknown_issuers"] == ["cogntio"]


def test_many_mistakes_are_reported_in_one_line_of_bounded_length(
    source: RevocationsFile, background: Background, path: Path, events: list[Event]
) -> None:
    path.write_bytes(_document(*({"jit": "x"} for _entry in range(500))))

    _start(source, background)

    detail = str(events[-1][1]["detail"])
    assert detail.startswith("revoked.0: one of jti, origin_jti, sub, client_id is needed")
    assert detail.endswith("; and 990 more")


def test_unforeseen_failure_is_counted_and_the_watching_goes_on(
    source: RevocationsFile,
    background: Background,
    clock: FakeClock,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_path: str) -> object:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patched:
        patched.setattr(files, "signature", fail)
        _start(source, background)
    assert source.report().loads[FetchResult.INTERNAL_ERROR] == 1
    path.write_bytes(_document(A, B))

    _pass(clock, source, 2)

    assert len(source.current) == 2


def test_log_that_fails_does_not_stop_the_watching(path: Path, background: Background, still: Environment) -> None:
    def fail(_name: str, _fields: object) -> None:
        raise OSError

    source = RevocationsFile(str(path), frozenset(), background, log=fail, environment=still)

    assert len(_start(source, background).current) == 1
    source.close()


def test_every_result_is_counted_from_the_start(source: RevocationsFile) -> None:
    assert source.report().loads == dict.fromkeys(RESULTS, 0)
