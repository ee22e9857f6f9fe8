"""The browser's way in and out: login page, session, refresh, scripts in pages, sign-out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import Cookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config

from authz.tools.demo.client import HttpClient
from authz.tools.demo.login import browse, log_in
from authz.tools.demo.provision import REGION
from authz.tools.demo.stack import Stack

_JSON = {"accept": "application/json"}


@pytest.fixture
def browser(stack: Stack) -> HttpClient:
    """A browser in which a member of staff has just signed in."""
    client = HttpClient()
    assert log_in(client, f"{stack.place.home}/", stack.pool.staff)[-1].status == 200
    return client


def test_page_without_a_session_leads_to_the_login_page_and_back(stack: Stack) -> None:
    walk = log_in(HttpClient(), f"{stack.place.home}/?from=mail", stack.pool.staff)

    assert walk[0].location.startswith(f"{stack.place.cognito}/oauth2/authorize?")
    assert walk[-1].url == f"{stack.place.home}/?from=mail"
    assert b"Signed in as alice" in walk[-1].body


def test_login_asks_for_the_configured_scopes_with_pkce(stack: Stack) -> None:
    asked = parse_qs(urlsplit(HttpClient().ask("GET", f"{stack.place.home}/").location).query)

    assert asked["scope"] == ["openid orders/read"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["client_id"] == [stack.pool.web_client_id]


def test_wrong_password_gives_no_session(stack: Stack) -> None:
    client = HttpClient()
    stranger = type(stack.pool.staff)(stack.pool.staff.name, "wrong", ())

    log_in(client, f"{stack.place.home}/", stranger)

    assert client.ask("GET", f"{stack.place.home}/orders", _JSON).status == 401


def test_session_cookies_are_bound_to_host_and_hidden_from_scripts(browser: HttpClient) -> None:
    cookies = list(browser.cookies)

    assert {"__Host-session", "__Host-session-hmac"} <= {cookie.name for cookie in cookies}
    assert all(cookie.name.startswith("__Host-") and cookie.secure for cookie in cookies)
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in cookies)
    assert all(cookie.get_nonstandard_attr("SameSite") == "Lax" for cookie in cookies)


def test_session_cookie_does_not_show_the_token(browser: HttpClient) -> None:
    session = next(cookie for cookie in browser.cookies if cookie.name == "__Host-session")

    assert session.value
    assert "eyJ" not in session.value


def test_service_receives_no_cookie(stack: Stack, browser: HttpClient) -> None:
    received = browser.ask("GET", f"{stack.place.home}/orders", _JSON).json()

    assert "cookie" not in received["others"]


@pytest.mark.parametrize("name", ["__Host-session", "__Host-session-hmac", "__Host-session-expires"])
def test_session_with_a_changed_cookie_is_no_session(stack: Stack, browser: HttpClient, name: str) -> None:
    for cookie in list(browser.cookies):
        if cookie.name == "__Host-session-refresh":
            browser.cookies.clear(cookie.domain, cookie.path, cookie.name)
        elif cookie.name == name:
            _change(cookie)

    answer = browser.ask("GET", f"{stack.place.home}/orders", _JSON)

    assert answer.status == 401


def test_script_in_a_page_gets_401_instead_of_a_redirect(stack: Stack) -> None:
    answer = HttpClient().ask("GET", f"{stack.place.home}/", {"sec-fetch-mode": "cors"})

    assert answer.status == 401


def test_expired_session_is_refreshed_without_the_person(stack: Stack) -> None:
    browser = HttpClient()
    with _access_tokens_that_live(stack, seconds=1):
        log_in(browser, f"{stack.place.home}/", stack.pool.staff)
    before = _session(browser)
    time.sleep(1.5)

    answer = browser.ask("GET", f"{stack.place.home}/orders", _JSON)

    assert answer.status == 200
    assert _session(browser) != before


def test_sign_out_ends_the_session_here_and_goes_through_cognitos_logout(stack: Stack, browser: HttpClient) -> None:
    walk = browse(browser, f"{stack.place.home}/oauth2/signout")

    logout = urlsplit(walk[0].location)
    assert f"{logout.scheme}://{logout.netloc}{logout.path}" == f"{stack.place.cognito}/logout"
    assert parse_qs(logout.query) == {
        "client_id": [stack.pool.web_client_id],
        "logout_uri": [f"{stack.place.home}/"],
    }
    assert walk[1].location == f"{stack.place.home}/"
    assert browser.ask("GET", f"{stack.place.home}/orders", _JSON).status == 401


def test_sign_out_path_with_a_bearer_token_reaches_nothing(stack: Stack) -> None:
    headers = {"authorization": "Bearer x"}

    assert HttpClient().ask("GET", f"{stack.place.home}/oauth2/signout", headers).status == 403
    assert HttpClient().ask("GET", f"{stack.place.home}/oauth2/callback?code=x&state=y", headers).status == 403


def test_callback_without_a_login_gives_no_session(stack: Stack) -> None:
    client = HttpClient()

    answer = client.ask("GET", f"{stack.place.home}/oauth2/callback?code=x&state=y")

    assert answer.status in {400, 401}
    assert "__Host-session" not in {cookie.name for cookie in client.cookies}


def _change(cookie: Cookie) -> None:
    value = cookie.value or ""
    cookie.value = ("1" if value[0] != "1" else "2") + value[1:]


def _session(browser: HttpClient) -> str | None:
    return next((cookie.value for cookie in browser.cookies if cookie.name == "__Host-session"), None)


@contextmanager
def _access_tokens_that_live(stack: Stack, *, seconds: int) -> Iterator[None]:
    """Shorten the life of new access tokens at the emulator, further than the real service would."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    client: Any = session.client("cognito-idp", endpoint_url=stack.place.cognito, config=Config(proxies={}))
    which = {"UserPoolId": stack.pool.pool_id, "ClientId": stack.pool.web_client_id}
    now = client.describe_user_pool_client(**which)["UserPoolClient"]
    kept = {name: now[name] for name in ("AllowedOAuthFlows", "AllowedOAuthScopes", "CallbackURLs", "LogoutURLs")}
    kept["AllowedOAuthFlowsUserPoolClient"] = True
    units = {"AccessToken": "seconds"}
    client.update_user_pool_client(**which, **kept, AccessTokenValidity=seconds, TokenValidityUnits=units)
    try:
        yield
    finally:
        client.update_user_pool_client(**which, **kept, AccessTokenValidity=3600, TokenValidityUnits=units)
