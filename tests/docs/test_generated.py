"""The generated parts of the documents are what the code says now."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.markdown import ROOT


def test_generated_parts_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
