"""A certified OpenID provider, in Chromium over TLS: consent, tokens that end and rotate, single sign-on."""

from __future__ import annotations

import pytest

from tests.browser.play import HEADINGS, PATIENT, Seen, scene

pytestmark = PATIENT


def test_a_wrong_password_gives_no_session_and_the_right_one_does(oidc: dict[str, Seen]) -> None:
    assert scene(oidc, "wrongPassword") == {"session": False, "then": "Signed in as alice"}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_who_denies_consent_reads_a_page_and_can_try_again(oidc: dict[str, Seen], language: str) -> None:
    seen = scene(oidc, "consentDenied")[language]

    assert (seen["lang"], seen["heading"]) == (language, HEADINGS["sign-in"][language])
    assert (seen["session"], seen["violations"]) == (False, [])
    assert seen["then"] == "Signed in as alice"


def test_who_abandons_the_login_reads_a_page_and_can_come_back_to_it(oidc: dict[str, Seen]) -> None:
    seen = scene(oidc, "loginAbandoned")

    assert (seen["heading"], seen["back"]) == (HEADINGS["sign-in"]["en"], HEADINGS["sign-in"]["en"])
    assert (seen["session"], seen["violations"]) == (False, [])


def test_a_person_who_withheld_the_scope_reads_why_and_signs_in_with_another_account(oidc: dict[str, Seen]) -> None:
    seen = scene(oidc, "withheldScope")

    assert seen["start"] == "Signed in as alice"
    assert (seen["status"], seen["heading"]) == (403, HEADINGS["forbidden"]["en"])
    assert (seen["orders"], seen["then"]) == (200, "Signed in as bob")


def test_an_ended_access_token_is_renewed_with_a_rotated_refresh_token_and_nobody_notices(
    oidc: dict[str, Seen],
) -> None:
    seen = scene(oidc, "expiry")

    assert (seen["start"], seen["orders"]["status"]) == ("Signed in as carol", 200)
    assert seen["asked"] == []
    assert seen["tokens"] >= 3


def test_a_second_tab_goes_on_with_the_refresh_token_of_the_first(oidc: dict[str, Seen]) -> None:
    seen = scene(oidc, "expiryInTwoTabs")

    assert (seen["first"], seen["second"]) == ("Signed in as carol", "Signed in as carol")
    assert seen["asked"] == []


def test_without_a_grace_period_fetches_at_once_get_200_or_401_and_the_person_comes_back(
    oidc: dict[str, Seen],
) -> None:
    """As the comment beside `use_refresh_token` says: the provider takes the second use for theft, and asks again."""
    seen = scene(oidc, "fetchesAtOnceAfterExpiry")

    assert 200 in seen["answers"]
    assert set(seen["answers"]) <= {200, 401}
    assert seen["then"] == "Signed in as carol"


def test_without_a_refresh_token_a_script_gets_401_and_the_provider_brings_the_person_back(
    oidc: dict[str, Seen],
) -> None:
    seen = scene(oidc, "expiryWithoutRefreshToken")

    assert seen["refresh"] is False
    assert (seen["script"]["status"], seen["script"]["redirected"]) == (401, False)
    assert seen["back"].endswith("/?view=late")
    assert not any("/login/" in url or "/consent/" in url for url in seen["asked"])
    assert seen["asked"]
    assert seen["then"] == "Signed in as dave"


def test_signing_out_ends_both_sessions_and_another_person_can_sign_in(oidc: dict[str, Seen]) -> None:
    seen = scene(oidc, "signOut")

    assert "post_logout_redirect_uri=https%3A%2F%2F127.0.0.1" in seen["url"]
    assert (seen["session"], seen["orders"]) == (False, 401)
    assert seen["then"] == "Signed in as bob"


def test_signing_out_at_the_provider_alone_leaves_this_session(oidc: dict[str, Seen]) -> None:
    assert scene(oidc, "signOutAtProvider") == {"heading": "Signed in as alice", "session": True}


def test_after_a_sign_out_at_the_provider_the_session_ends_with_its_access_token(oidc: dict[str, Seen]) -> None:
    seen = scene(oidc, "signOutAtProviderThenExpiry")

    assert seen["script"]["status"] == 401
    assert seen["login"] is True
