"""What people and pages meet in Chromium, over TLS, whatever the provider: sign-in, refusals, tampering, other origins.

One browser plays all scenes of a provider in one stack: conftest.py. Screenshots are in build/browser/.
"""

from __future__ import annotations

import json

import pytest

from tests.browser.play import HEADINGS, PATIENT, Seen, scene

pytestmark = PATIENT


def test_a_person_returns_to_the_deep_link_after_the_login(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "deepLink")

    assert not seen["login"].startswith(seen["back"].partition("?")[0])
    assert seen["back"].endswith("/?view=late%20orders&page=2")
    assert seen["heading"] == "Signed in as alice"


def test_a_person_without_the_group_reads_why_and_a_member_gets_in(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "missingGroup")

    assert seen["url"].endswith("/staff")
    assert seen["heading"] == HEADINGS["forbidden"]["en"]
    assert "Sign in with another account" in seen["body"]
    assert seen["staff"] == "Signed in as alice"


def test_a_fetch_after_the_session_ended_gets_401_and_no_redirect(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "fetchAfterExpiry")

    assert seen["before"]["status"] == 200
    assert (seen["after"]["status"], seen["after"]["redirected"]) == (401, False)
    assert seen["after"]["challenge"] == 'Bearer realm="orders-api"'
    assert seen["after"]["type"] == "application/json"
    assert seen["root"] == 401


def test_an_ended_access_token_is_refreshed_without_a_visit_to_the_login(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "refresh")

    assert seen["heading"] == "Signed in as alice"
    assert seen["asked"] == []
    assert seen["renewed"] is True


def test_two_tabs_can_sign_in_at_the_same_time(scenes: dict[str, Seen]) -> None:
    assert set(scene(scenes, "twoTabs").values()) == {"Signed in as alice"}


@pytest.mark.parametrize("kind", ["state", "forgedState", "code", "nothing", "denied", "script"])
def test_a_tampered_callback_is_a_page_and_gives_no_session(scenes: dict[str, Seen], kind: str) -> None:
    seen = scene(scenes, "tampered")[kind]

    assert seen["status"] == 401
    assert seen["heading"] == HEADINGS["sign-in"]["en"]
    assert (seen["session"], seen["scripts"]) == (False, 0)


def test_a_callback_without_the_nonce_cookie_gives_no_session(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "tampered")["withoutNonce"]

    assert seen["nonces"] > 0
    assert (seen["heading"], seen["session"]) == (HEADINGS["sign-in"]["en"], False)


def test_no_address_here_leads_to_another_host(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "openRedirect")

    assert len(seen) == 5
    assert not any(seen.values())


def test_cookies_beyond_the_limit_are_refused_and_the_next_request_works(scenes: dict[str, Seen]) -> None:
    """The demo offers no HTTP/2. The other file does, and over HTTP/2 Envoy resets the stream."""
    seen = scene(scenes, "oversizedCookies")

    assert seen["status"] in {431, "ERR_HTTP2_PROTOCOL_ERROR"}
    assert seen["again"] == 401


def test_many_small_cookies_of_the_site_do_no_harm(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "manyCookies")

    assert (seen["heading"], seen["orders"]["status"]) == ("Signed in as alice", 200)


def test_a_person_can_sign_in_after_many_unfinished_logins(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "unfinishedLogins")

    assert seen["cookies"] > 100
    assert seen["heading"] == "Signed in as alice"


def test_a_bearer_token_counts_and_not_the_cookie_beside_it(scenes: dict[str, Seen]) -> None:
    seen = scene(scenes, "cookieAndBearer")

    assert seen["cookie"]["status"] == 200
    for each in (seen["both"], seen["lower"]):
        assert each["status"] == 401
        assert 'error="invalid_token"' in each["challenge"]


def test_an_allowed_page_of_another_origin_can_read_refusals_and_send_only_allowed_headers(
    scenes: dict[str, Seen],
) -> None:
    seen = scene(scenes, "preflight")

    assert seen["refused"]["status"] == 401
    assert 'error="invalid_token"' in seen["refused"]["challenge"]
    assert json.loads(seen["refused"]["body"])["reason"] == "token_malformed"
    assert json.loads(seen["simple"]["body"])["reason"] == "token_missing"
    assert "Failed to fetch" in seen["forbiddenHeader"]["failed"]
