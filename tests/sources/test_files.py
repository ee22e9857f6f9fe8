from __future__ import annotations

import os
from pathlib import Path

import pytest

from authz.sources import files
from authz.sources.fetch_result import FetchFailed, FetchResult


def _result(path: Path) -> FetchResult:
    with pytest.raises(FetchFailed) as failed:
        files.read(str(path), "jwks_file", 100)
    assert failed.value.detail.startswith("jwks_file '")
    return failed.value.result


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"x" * 100)

    assert files.read(str(tmp_path / "keys"), "jwks_file", 100) == b"x" * 100


def test_what_is_no_readable_small_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 101)
    os.mkfifo(tmp_path / "fifo")

    assert _result(tmp_path / "missing") is FetchResult.FILE_UNREADABLE
    assert _result(tmp_path) is FetchResult.FILE_UNREADABLE
    assert _result(tmp_path / "fifo") is FetchResult.FILE_UNREADABLE
    assert _result(tmp_path / "nul\0") is FetchResult.FILE_UNREADABLE
    assert _result(tmp_path / "large") is FetchResult.TOO_LARGE


def test_a_bearer_token_is_read_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc.DEF-_~+/==\n")

    assert files.read_bearer(str(tmp_path / "token")) == "abc.DEF-_~+/=="
    assert files.read_bearer("") == ""


@pytest.mark.parametrize("content", [b"", b"two words", b"a\r\nx-injected: 1", b"caf\xe9", b"{}"])
def test_a_file_without_one_bearer_token_is_refused_and_never_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(FetchFailed) as failed:
        files.read_bearer(str(tmp_path / "token"))

    assert (
        failed.value.detail
        == f"bearer_token_file {str(tmp_path / 'token')!r}: it does not contain exactly one bearer token"
    )


def test_the_signature_differs_after_writing_replacing_and_switching_a_symlink(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    assert files.signature(str(link)) is None
    path.write_text("1")
    link.symlink_to(path)
    seen = [files.signature(str(link))]

    path.write_text("22")
    seen.append(files.signature(str(link)))
    (tmp_path / "b").write_text("22")
    (tmp_path / "b").replace(path)
    seen.append(files.signature(str(link)))
    (tmp_path / "c").write_text("22")
    link.unlink()
    link.symlink_to(tmp_path / "c")
    seen.append(files.signature(str(link)))

    assert len(set(seen)) == 4
    assert files.signature(str(link)) == seen[-1]
