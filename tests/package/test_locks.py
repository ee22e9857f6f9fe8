"""What a fresh clone installs: the locked packages, whatever has been released since."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = [
    "Makefile",
    "Dockerfile",
    "docs/security.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".ci").iterdir() if path.is_file()),
]
"""Where packages are installed by hash."""


@pytest.mark.parametrize("name", READ)
def test_an_install_by_hash_leaves_nothing_to_the_resolver(name: str) -> None:
    # pip 23 takes the newest `coverage` for a package that wants `coverage[toml]`, and finds it not locked: every
    # fresh clone failed from the hour of its release.
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in re.split(r"\n|&&|;|`", text) if "pip" in line and "--require-hashes" in line]

    assert installs or name not in {"Makefile", "Dockerfile", "docs/security.md"}
    assert [line for line in installs if "--no-deps" not in line] == []


def test_the_locked_packages_need_no_package_besides() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], check=False, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.strip() == "No broken requirements found."
