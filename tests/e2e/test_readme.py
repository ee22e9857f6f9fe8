"""The answers that README.md shows are the answers that the demo gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.docs.markdown import ROOT, Block, blocks
from tests.e2e.conftest import Tokens

_SHOWN = [block for block in blocks(ROOT / "README.md", "console") if block.text.startswith("$ curl")]
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.parametrize("shown", _SHOWN, ids=lambda block: block.place)
def test_answer_is_the_one_that_the_readme_shows(shown: Block, home: str, bearer: Tokens) -> None:
    curl = shutil.which("curl") or pytest.skip("no curl on PATH")
    command, expected = shown.text.removeprefix("$ ").split("\n", 1)
    environment = os.environ | {"TOKEN": bearer.granted, "BOBS_TOKEN": bearer.without_scope, "no_proxy": "*"}

    real = subprocess.run(
        ["sh", "-c", command.replace("http://127.0.0.1:8000", home).replace("curl", f"{curl} -sS", 1)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
    ).stdout

    lines = [line for line in map(str.rstrip, _ID.sub("ID", real).splitlines()) if line]
    wanted = [line for line in _ID.sub("ID", expected).splitlines() if line]
    assert [line for line in lines if line in wanted] == wanted


def test_every_kind_of_answer_is_shown() -> None:
    statuses = [block.text.splitlines()[1] for block in _SHOWN]

    assert statuses == [
        "HTTP/1.1 401 Unauthorized",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 403 Forbidden",
    ]
