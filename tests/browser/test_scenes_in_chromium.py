"""What people and pages meet in Chromium, over TLS: sign-in, refusals, expiry, sign-out, tampering, other origins.

One browser plays all scenes in one stack. Screenshots are in build/browser/.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium, secure_demo
from tests.browser.secure_demo import SecureDemo

SCREENSHOTS = Path(__file__).parents[2] / "build/browser"
SECONDS = 300.0
"""Of all scenes together. They take half a minute on an idle machine."""

_SCENES = (
    "deepLink",
    "wrongPassword",
    "missingGroup",
    "fetchAfterExpiry",
    "refresh",
    "twoTabs",
    "signOut",
    "signOutAtProvider",
    "tampered",
    "openRedirect",
    "oversizedCookies",
    "cookieAndBearer",
    "preflight",
    "pages",
)
_HEADINGS = {
    "sign-in": {"en": "You need to sign in", "ja": "サインインが必要です"},
    "forbidden": {"en": "You do not have access to this page", "ja": "このページを開く権限がありません"},
    "unavailable": {"en": "This service is not available right now", "ja": "現在サービスをご利用いただけません"},
}

Seen = dict[str, Any]


def _play(demo: SecureDemo, *scenes: str) -> dict[str, Seen]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    given = {
        "home": demo.place.home,
        "cognito": demo.place.cognito,
        "clientId": demo.pool.web_client_id,
        "users": {name: asdict(getattr(demo.pool, name)) for name in ("staff", "newcomer")},
        "folder": str(SCREENSHOTS),
        "cert": str(demo.certificate),
        "key": str(demo.certificate.with_suffix(".key")),
        "pagePort": demo.page_port,
        "playwright": chromium.package("playwright-core"),
        "axe": chromium.package("axe-core"),
        "scenes": scenes,
    }
    done = subprocess.run(
        [chromium.node(), str(Path(__file__).with_name("scenes.mjs")), json.dumps(given)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | {"CHROMIUM": chromium.chromium()},
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Seen] = json.loads(done.stdout)
    return seen


@pytest.fixture(scope="module")
def scenes() -> Iterator[dict[str, Seen]]:
    """What every scene saw. The last one is played after the sidecar has been killed."""
    chromium.chromium()  # skips before the stack starts
    for package in ("playwright-core", "axe-core"):
        chromium.package(package)
    with secure_demo.running() as demo:
        seen = _play(demo, *_SCENES)
        demo.sidecar.process.kill()
        demo.sidecar.process.wait(30)
        yield seen | _play(demo, "away")


def _scene(scenes: dict[str, Seen], name: str) -> Seen:
    assert "error" not in scenes[name], scenes[name]["error"]
    return scenes[name]


def test_a_person_returns_to_the_deep_link_after_the_login(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "deepLink")

    assert "/oauth2/authorize" in seen["login"]
    assert seen["back"].endswith("/?view=late%20orders&page=2")
    assert seen["heading"] == "Signed in as alice"


def test_a_wrong_password_gives_no_session(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "wrongPassword")

    assert "/login" in seen["url"]
    assert seen["session"] is False


def test_a_person_without_the_group_reads_why_and_a_member_gets_in(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "missingGroup")

    assert seen["url"].endswith("/staff")
    assert seen["heading"] == _HEADINGS["forbidden"]["en"]
    assert "Sign in with another account" in seen["body"]
    assert seen["staff"] == "Signed in as alice"


def test_a_fetch_after_the_session_ended_gets_401_and_no_redirect(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "fetchAfterExpiry")

    assert seen["before"]["status"] == 200
    assert (seen["after"]["status"], seen["after"]["redirected"]) == (401, False)
    assert seen["after"]["challenge"] == 'Bearer realm="orders-api"'
    assert seen["after"]["type"] == "application/json"
    assert seen["root"]["status"] == 401


def test_an_ended_access_token_is_refreshed_without_a_visit_to_the_login(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "refresh")

    assert seen["heading"] == "Signed in as alice"
    assert len(seen["visited"]) == 1
    assert seen["renewed"] is True


def test_two_tabs_can_sign_in_at_the_same_time(scenes: dict[str, Seen]) -> None:
    assert set(_scene(scenes, "twoTabs").values()) == {"Signed in as alice"}


def test_signing_out_ends_the_session_here_and_at_the_provider(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "signOut")

    assert seen["session"] is False
    assert seen["orders"] == 401


def test_signing_out_at_the_provider_alone_leaves_this_session(scenes: dict[str, Seen]) -> None:
    """Envoy's session does not depend on the provider's. docs/revocation.md says how to end it at once."""
    assert _scene(scenes, "signOutAtProvider") == {"heading": "Signed in as alice", "session": True}


@pytest.mark.parametrize("kind", ["state", "forgedState", "code", "nothing", "denied", "script"])
def test_a_tampered_callback_is_a_page_and_gives_no_session(scenes: dict[str, Seen], kind: str) -> None:
    seen = _scene(scenes, "tampered")[kind]

    assert seen["status"] == 401
    assert seen["heading"] == _HEADINGS["sign-in"]["en"]
    assert (seen["session"], seen["scripts"]) == (False, 0)


def test_a_callback_without_the_nonce_cookie_gives_no_session(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "tampered")["withoutNonce"]

    assert seen["nonces"] > 0
    assert (seen["heading"], seen["session"]) == (_HEADINGS["sign-in"]["en"], False)


def test_no_address_here_leads_to_another_host(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "openRedirect")

    assert len(seen) == 5
    assert not any(seen.values())


def test_cookies_beyond_the_limit_are_refused_and_the_next_request_works(scenes: dict[str, Seen]) -> None:
    assert _scene(scenes, "oversizedCookies") == {"status": 431, "again": 401}


def test_a_bearer_token_counts_and_not_the_cookie_beside_it(scenes: dict[str, Seen]) -> None:
    seen = _scene(scenes, "cookieAndBearer")

    assert seen["cookie"]["status"] == 200
    for each in (seen["both"], seen["lower"]):
        assert each["status"] == 401
        assert 'error="invalid_token"' in each["challenge"]


def test_an_allowed_page_of_another_origin_can_read_refusals_and_send_only_allowed_headers(
    scenes: dict[str, Seen],
) -> None:
    seen = _scene(scenes, "preflight")

    assert seen["refused"]["status"] == 401
    assert 'error="invalid_token"' in seen["refused"]["challenge"]
    assert json.loads(seen["refused"]["body"])["reason"] == "token_malformed"
    assert json.loads(seen["simple"]["body"])["reason"] == "token_missing"
    assert "Failed to fetch" in seen["forbiddenHeader"]["failed"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("kind", ["sign-in", "forbidden", "unavailable"])
def test_every_refusal_page_is_accessible(scenes: dict[str, Seen], kind: str, language: str, scheme: str) -> None:
    """Axe-core finds nothing (contrast included), and Tab reaches every link with a visible focus."""
    seen = _scene(scenes, "away" if kind == "unavailable" else "pages")[f"{kind}-{language}-{scheme}"]

    assert seen["lang"] == language
    assert seen["heading"] == _HEADINGS[kind][language]
    assert seen["violations"] == []
    assert seen["reached"] == [{"tag": "A", "outline": True}] * seen["links"]


def test_without_the_sidecar_every_request_is_refused(scenes: dict[str, Seen]) -> None:
    assert {each["status"] for each in _scene(scenes, "away").values()} == {503}
