"""The Dockerfile, read by a linter; .ci/containers builds and runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    result = subprocess.run(
        [hadolint, "--no-color", _ROOT / "Dockerfile"], check=False, capture_output=True, text=True, timeout=60
    )

    assert (result.returncode, result.stdout) == (0, "")


def test_every_file_that_the_dockerfile_copies_gets_past_dockerignore() -> None:
    copied = {
        word.rstrip("/")
        for line in (_ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    let_through = {line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert copied == {Path(name).parts[0] if name.startswith("authz") else name for name in let_through}


def test_every_pip_of_the_dockerfile_installs_by_hash_or_only_what_was_built_before() -> None:
    text = (_ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"/pip (?:--python \S+ )?install ([^&\n]+)", text)

    assert len(installs) == 3
    assert all("--require-hashes" in options or "--no-index" in options for options in installs)
