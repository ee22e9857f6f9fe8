"""Rotated refresh tokens through the real OAuth2 filter of Envoy, with the shipped file and a certified provider."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from urllib.parse import urljoin

import pytest

from authz.tools.demo.client import HttpClient
from tests.clients.pages import MAX_STEPS, submit
from tests.clients.shipped_login import ShippedLogin, running
from tests.clients.world import FIX, node

LIFETIME_SECONDS = 2
"""That of access tokens in programs/short_lived.mjs."""

_PAGE = {"accept": "text/html", "sec-fetch-mode": "navigate"}
_SCRIPT = {"accept": "application/json"}
REFRESH = "__Host-session-refresh"


@pytest.fixture(scope="module")
def shipped() -> Iterator[ShippedLogin]:
    if not node():
        pytest.skip(f"no node, or not its packages: install Node.js 20 or newer and npm; {FIX}")
    with running() as started:
        yield started


@pytest.fixture
def browser(shipped: ShippedLogin) -> HttpClient:
    """A browser in which a person has just signed in."""
    client, home = HttpClient(), f"{shipped.place.home}/"
    answer = client.ask("GET", home, _PAGE)
    for _ in range(MAX_STEPS):
        if answer.status == 200 and answer.url == home:
            return client
        location = urljoin(answer.url, answer.location) if answer.location else ""
        person = {"login": "alice", "password": "any"}
        answer = client.ask("GET", location, _PAGE) if location else submit(client, answer, person)
    raise AssertionError(f"no way back to the application; the last page was {answer.url}")


def _cookie(browser: HttpClient, name: str) -> str | None:
    return next((cookie.value for cookie in browser.cookies if cookie.name == name), None)


def test_each_refresh_uses_the_token_of_the_last_one(shipped: ShippedLogin, browser: HttpClient) -> None:
    seen = [_cookie(browser, REFRESH)]

    for _ in range(3):
        time.sleep(LIFETIME_SECONDS + 0.5)
        answer = browser.ask("GET", f"{shipped.place.home}/orders", _SCRIPT)
        assert answer.status == 200
        assert answer.json()["identity"]["x-auth-subject"] == "alice"
        seen.append(_cookie(browser, REFRESH))

    assert None not in seen
    assert len(set(seen)) == 4


def test_without_a_grace_period_requests_that_refresh_at_once_lead_to_the_login_page(
    shipped: ShippedLogin, browser: HttpClient
) -> None:
    """As the comment in deploy/envoy.yaml says. The provider treats the second use as theft, and ends the session."""
    time.sleep(LIFETIME_SECONDS + 0.5)

    def one(_number: int) -> int:
        tab = HttpClient()
        for cookie in browser.cookies:
            tab.cookies.set_cookie(deepcopy(cookie))
        return tab.ask("GET", f"{shipped.place.home}/", _PAGE).status

    with ThreadPoolExecutor(6) as pool:
        statuses = Counter(pool.map(one, range(6)))

    assert set(statuses) == {200, 302}
