"""Keys in a file: read at start, again when the file changes, and under the same rules as an endpoint."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from authz.sources.jwks import FetchResult, JwksSource
from tests.fakes.clock import FakeClock
from tests.fakes.keys import ec_key, jwk, jwks, rsa_key
from tests.fakes.waiting import until
from tests.sources.conftest import MakeSource

A, B = jwk(rsa_key(0), "a"), jwk(ec_key(0), "b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(A))
    return path


def _started(source: JwksSource) -> JwksSource:
    source.start()
    until(lambda: source.report().last_result)
    return source


def _kids(source: JwksSource) -> set[str]:
    return set(source.current.keys) if source.current else set()


def _until_read(source: JwksSource, times: int) -> None:
    until(lambda: sum(source.report().fetches.values()) == times)


def _pass(clock: FakeClock, source: JwksSource, reads: int) -> None:
    """Let second after second pass until the file was read that often."""

    def read_after_another_second() -> bool:
        clock.advance(1)
        return sum(source.report().fetches.values()) >= reads

    until(read_after_another_second)


def test_a_file_is_read_at_start(make_source: MakeSource, path: Path) -> None:
    assert _kids(_started(make_source(jwks_file=str(path)))) == {"a"}


def test_a_changed_file_is_read_within_the_cool_down(make_source: MakeSource, clock: FakeClock, path: Path) -> None:
    source = _started(make_source(jwks_file=str(path), refresh_seconds=1e6))
    path.write_bytes(jwks(A, B))

    _pass(clock, source, 2)

    assert _kids(source) == {"a", "b"}


def test_a_configmap_style_symlink_swap_is_a_change(make_source: MakeSource, clock: FakeClock, tmp_path: Path) -> None:
    for name, keys in (("1", jwks(A)), ("2", jwks(B))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jwks.json").write_bytes(keys)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "jwks.json").symlink_to("..data/jwks.json")
    source = _started(make_source(jwks_file=str(tmp_path / "jwks.json"), refresh_seconds=1e6))

    (tmp_path / "..next").symlink_to("2")
    (tmp_path / "..next").replace(tmp_path / "..data")
    _pass(clock, source, 2)

    assert _kids(source) == {"b"}


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"half a docu", FetchResult.NO_USABLE_KEY),
        (b"x" * 600_000, FetchResult.TOO_LARGE),
        (None, FetchResult.FILE_UNREADABLE),
    ],
    ids=["half written", "huge", "gone"],
)
def test_a_bad_file_keeps_the_last_good_keys_and_a_good_one_is_taken_again(
    make_source: MakeSource, clock: FakeClock, path: Path, content: bytes | None, result: FetchResult
) -> None:
    source = _started(make_source(jwks_file=str(path), refresh_seconds=1e6))
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    _pass(clock, source, 2)
    assert source.report().fetches[result] >= 1
    assert _kids(source) == {"a"}

    path.write_bytes(jwks(B))
    reads = sum(source.report().fetches.values())
    _pass(clock, source, reads + 1)

    until(lambda: _kids(source) == {"b"})


def test_a_file_that_changes_all_the_time_is_read_once_per_cool_down(
    make_source: MakeSource, clock: FakeClock, path: Path
) -> None:
    source = _started(make_source(jwks_file=str(path), refresh_seconds=1e6))

    for second in range(4):
        path.write_bytes(jwks(A) + b" " * (second + 1))
        clock.advance(1)
        time.sleep(0.05)  # for the look at the file

    assert sum(source.report().fetches.values()) == 1


def test_a_file_that_stays_readable_never_becomes_stale(make_source: MakeSource, clock: FakeClock, path: Path) -> None:
    source = _started(make_source(jwks_file=str(path), refresh_seconds=300, max_stale_seconds=400))
    first = source.current

    for reads in range(2, 6):
        clock.advance(301)
        _until_read(source, reads)

    assert source.current is first is not None


def test_a_file_missing_at_start_is_taken_when_it_appears(
    make_source: MakeSource, clock: FakeClock, tmp_path: Path
) -> None:
    source = _started(make_source(jwks_file=str(tmp_path / "late.json"), refresh_seconds=1e6))
    assert source.report().last_result is FetchResult.FILE_UNREADABLE
    assert source.current is None

    (tmp_path / "late.json").write_bytes(jwks(A))
    _pass(clock, source, 2)

    until(lambda: _kids(source) == {"a"})
