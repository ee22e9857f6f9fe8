"""A person at a browser, as far as signing in needs one: opens a page and fills in whatever form comes."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from authz.tools.demo.client import Exchange, HttpClient

MAX_STEPS = 20
CALLBACK = "https://app.example.com/callback"
"""No server answers there: the application's part of the flow is this test."""

_BROWSER = {"accept": "text/html", "sec-fetch-mode": "navigate"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class _Form(HTMLParser):
    """The first form of a page that has the fields of a person, or none to fill in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._is_inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action, self._is_inside = found.get("action") or ".", True
        elif tag in {"input", "button"} and self._is_inside and found.get("name"):
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "form"


def authorize(url: str, person: dict[str, str], **query: str) -> dict[str, str]:
    """Go through the authorization endpoint as a person whose form fields are given. Return the callback parameters."""
    browser = HttpClient()
    answer = browser.ask("GET", f"{url}?{urlencode(query)}" if query else url, _BROWSER)
    for _ in range(MAX_STEPS):
        location = urljoin(answer.url, answer.location) if answer.location else ""
        if location.startswith(CALLBACK):
            parts = urlsplit(location)
            return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}
        answer = browser.ask("GET", location, _BROWSER) if location else submit(browser, answer, person)
    raise AssertionError(f"no way back to the application; the last page was {answer.url}")


def submit(browser: HttpClient, page: Exchange, person: dict[str, str]) -> Exchange:
    """Fill in the form of a page and send it."""
    form = _Form(page.body.decode(errors="replace"))
    assert form.action, f"status {page.status} and no form at {page.url}: {page.body[:500]!r}"
    filled = form.fields | {name: value for name, value in person.items() if name in form.fields}
    target = page.url if form.action == "." else urljoin(page.url, form.action)
    return browser.ask("POST", target, _BROWSER | _FORM, urlencode(filled).encode())


@dataclass(frozen=True, slots=True)
class Application:
    """A confidential client of an OpenID provider: the code flow with PKCE (RFC 7636), and what the secret allows."""

    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    client_secret: str

    def sign_in(self, person: dict[str, str], scope: str, **more: str) -> dict[str, Any]:
        """The token response of a person who signs in."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"client_id": self.client_id, "redirect_uri": CALLBACK, "response_type": "code", "scope": scope}
        pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
        callback = authorize(self.authorization_endpoint, person, **asked, **pkce, **more)
        return self.tokens(
            grant_type="authorization_code", code=callback["code"], redirect_uri=CALLBACK, code_verifier=verifier
        )

    def tokens(self, **grant: str) -> dict[str, Any]:
        """The token endpoint's answer to a grant."""
        return self.post(self.token_endpoint, **grant).json()

    def post(self, url: str, **form: str) -> Exchange:
        """A form sent with the client's credentials."""
        credentials = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        headers = _FORM | {"authorization": f"Basic {credentials}"}
        return HttpClient().ask("POST", url, headers, urlencode(form).encode())
