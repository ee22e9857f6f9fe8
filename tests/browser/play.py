"""Plays scenes in Chromium with one of the scripts beside this file, and returns what each of them saw."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium

SCREENSHOTS = Path(__file__).parents[2] / "build/browser"
SECONDS = 400.0
"""Of all scenes together. They take half a minute to a minute on an idle machine."""

PATIENT = pytest.mark.timeout(2 * SECONDS)
"""For the test files: the first test of a provider plays all its scenes."""

EVERYWHERE = (
    "deepLink",
    "missingGroup",
    "fetchAfterExpiry",
    "refresh",
    "twoTabs",
    "tampered",
    "openRedirect",
    "oversizedCookies",
    "manyCookies",
    "unfinishedLogins",
    "cookieAndBearer",
    "preflight",
)
"""The scenes of every provider."""

HEADINGS = {
    "sign-in": {"en": "You need to sign in", "ja": "サインインが必要です"},
    "forbidden": {"en": "You do not have access to this page", "ja": "このページを開く権限がありません"},
    "unavailable": {"en": "This service is not available right now", "ja": "現在サービスをご利用いただけません"},
}
"""The headings of the refusal pages by language."""

Seen = dict[str, Any]


def require(*packages: str) -> None:
    """Skip the test if the browser, node or an npm package is missing. To be called before anything starts."""
    chromium.chromium()
    for package in ("playwright-core", "axe-core", *packages):
        chromium.package(package)


def play(script: str, given: Mapping[str, object], scenes: Sequence[str]) -> dict[str, Seen]:
    """Play the scenes with a script. `given` is its stack: see driver.mjs."""
    folder = SCREENSHOTS / script.removesuffix("_scenes.mjs")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        **given,
        "folder": str(folder),
        "playwright": chromium.package("playwright-core"),
        "axe": chromium.package("axe-core"),
        "scenes": scenes,
    }
    done = subprocess.run(
        [chromium.node(), str(Path(__file__).with_name(script)), json.dumps(whole)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | {"CHROMIUM": chromium.chromium()},
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Seen] = json.loads(done.stdout)
    return seen


def scene(scenes: Mapping[str, Seen], name: str) -> Seen:
    """What one scene saw. Fails if the scene did not come to its end."""
    assert "error" not in scenes[name], scenes[name]["error"]
    return scenes[name]
