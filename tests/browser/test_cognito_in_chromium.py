"""The login and sign-out pages of the Cognito emulator, and every refusal page, in Chromium over TLS."""

from __future__ import annotations

import pytest

from tests.browser.play import HEADINGS, PATIENT, Seen, scene

pytestmark = PATIENT


def test_a_wrong_password_gives_no_session(cognito: dict[str, Seen]) -> None:
    seen = scene(cognito, "wrongPassword")

    assert "/login" in seen["url"]
    assert seen["session"] is False


def test_signing_out_ends_the_session_here_and_at_the_provider(cognito: dict[str, Seen]) -> None:
    seen = scene(cognito, "signOut")

    assert seen["session"] is False
    assert seen["orders"] == 401


def test_signing_out_at_the_provider_alone_leaves_this_session(cognito: dict[str, Seen]) -> None:
    """Envoy's session does not depend on the provider's. docs/revocation.md says how to end it at once."""
    assert scene(cognito, "signOutAtProvider") == {"heading": "Signed in as alice", "session": True}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("kind", ["sign-in", "forbidden", "unavailable"])
def test_every_refusal_page_is_accessible(cognito: dict[str, Seen], kind: str, language: str, scheme: str) -> None:
    """Axe-core finds nothing (contrast included), and Tab reaches every link with a visible focus."""
    seen = scene(cognito, "away" if kind == "unavailable" else "pages")[f"{kind}-{language}-{scheme}"]

    assert seen["lang"] == language
    assert seen["heading"] == HEADINGS[kind][language]
    assert seen["violations"] == []
    assert seen["reached"] == [{"tag": "A", "outline": True}] * seen["links"]


def test_without_the_sidecar_every_request_is_refused(cognito: dict[str, Seen]) -> None:
    assert {each["status"] for each in scene(cognito, "away").values()} == {503}
