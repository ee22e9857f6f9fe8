"""A person signs in with Chromium at the demo's address and sees who they are; signed out, they read a page."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from authz.tools.demo.stack import running
from tests.browser import chromium


def test_person_signs_in_with_chromium_and_sees_the_verified_identity(tmp_path: Path) -> None:
    browser, node, playwright = chromium.chromium(), chromium.node(), chromium.package("playwright-core")
    screenshot = tmp_path / "signed-in.png"

    with running() as stack:
        staff = stack.pool.staff
        script = Path(__file__).with_name("login.mjs")
        arguments = [f"{stack.place.home}/", staff.name, staff.password, str(screenshot), playwright]
        result = subprocess.run(
            [node, str(script), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"CHROMIUM": browser},
        )

    assert result.returncode == 0, result.stderr
    seen: dict[str, Any] = json.loads(result.stdout)
    assert seen["loginPage"].startswith(stack.place.cognito)
    assert seen["heading"] == f"Signed in as {staff.name}"
    assert seen["verified"]["x-auth-username"] == staff.name
    assert seen["verified"]["x-auth-issuer"] == "cognito"
    assert seen["verified"]["x-auth-scopes"] == "openid orders/read"
    assert "__Host-session" in seen["cookies"]
    assert seen["seenByScripts"] == ""
    assert seen["unlabelled"] == 0
    assert "You need to sign in" in seen["orders"]
    assert screenshot.stat().st_size > 0
