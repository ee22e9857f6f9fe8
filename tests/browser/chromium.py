"""The programs of the browser tests. A test is skipped, with the reason, if one is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def chromium() -> str:
    """The browser."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return found or pytest.skip("no chromium on PATH (Debian: apt-get install chromium; or set CHROMIUM)")


def node() -> str:
    """The program that drives the browser."""
    return shutil.which("node") or pytest.skip("no node on PATH: it drives the browser")


def package(name: str) -> str:
    """The entry file of an npm package, found as node finds it from this folder."""
    script = f"process.stdout.write(require.resolve('{name}'))"
    command = [node(), "-e", script]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent)
    if found.returncode:
        pytest.skip(f"{name} is not installed (npm ci --prefix tests/browser, or set NODE_PATH)")
    return found.stdout
