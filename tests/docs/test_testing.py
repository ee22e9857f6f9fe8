"""The examples of docs/testing.md work, and its tables describe every field."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from authz.core import mapping_reader
from authz.tools.policy_tests.suite import read_suite

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_example_of_a_file_is_read_without_an_error() -> None:
    assert [case.policy for case in read_suite(_block("text"), "t.yaml").cases] == ["orders-read", "orders-read"]


def test_every_field_that_the_reader_knows_is_in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    known: set[str] = set()
    finish = mapping_reader.MappingReader.finish

    def gather(self: mapping_reader.MappingReader, *, also: tuple[str, ...] = ()) -> None:
        known.update(self._known | self._read)
        finish(self, also=also)

    monkeypatch.setattr(mapping_reader.MappingReader, "finish", gather)
    read_suite(_block("text").replace("expect: ok", "expect: { reason: ok }"), "t.yaml")

    assert {name for name in known if f"`{name}`" not in TEXT and f"{name}:" not in TEXT} == set()


def test_example_for_pytest_runs(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(_block("ini").replace("deploy/", f"{ROOT}/deploy/"))
    (tmp_path / "test_example.py").write_text(_block("python"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert "2 passed" in done.stdout, done.stdout
