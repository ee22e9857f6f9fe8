"""How `make test` spreads the tests over processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_browser_tests_run_in_one_process_so_that_no_scene_is_played_twice() -> None:
    # Without programs on PATH they are skipped, which shows where each would have run.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-n", "2", "-p", "no:cacheprovider", "tests/browser"],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "PATH": "/nonexistent", "CHROMIUM": ""},
    )

    ran = re.findall(r"^\[(gw\d)\].* (tests/browser/\S+)", done.stdout, re.MULTILINE)
    assert len(ran) > 50, done.stdout[-2000:]
    assert len({process for process, _ in ran}) == 1
