"""The two ways to sign in to Cognito: through the hosted login page, as a browser, and through the user pools API.

Only the hosted login page issues tokens with the application's own scopes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.demo.provision import Pool, User
from authz.tools.processes.machine import CannotRunError

MAX_REDIRECTS = 10
"""The redirect limit, above the number a login needs. It ends redirect loops."""

_REDIRECTS = frozenset({301, 302, 303, 307})
_BROWSER = {"accept": "text/html", "sec-fetch-mode": "navigate"}


class _LoginForm(HTMLParser):
    """The first form of a page: its target URL and its filled-in fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._is_inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = found.get("action", "")
            self._is_inside = True
        elif tag == "input" and self._is_inside and "name" in found:
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False


def browse(client: HttpClient, url: str) -> list[Exchange]:
    """Open a page as a browser does: every redirect on the way is followed, and every exchange returned."""
    walk = [client.ask("GET", url, _BROWSER)]
    while walk[-1].status in _REDIRECTS and len(walk) <= MAX_REDIRECTS:
        walk.append(client.ask("GET", urljoin(walk[-1].url, walk[-1].location), _BROWSER))
    return walk


def log_in(client: HttpClient, url: str, user: User) -> list[Exchange]:
    """Open a protected page, fill in the login form it leads to, and come back. Without a form: CannotRunError."""
    walk = browse(client, url)
    answer = _submit(client, walk[-1], user)
    return [*walk, answer, *browse(client, urljoin(answer.url, answer.location))]


def hosted_token(cognito: str, pool: Pool, callback: str, user: User, scope: str) -> str:
    """Return an access token from the login page, through the code flow with PKCE (RFC 7636)."""
    client = HttpClient()
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": pool.web_client_id,
        "response_type": "code",
        "redirect_uri": callback,
        "scope": scope,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    page = client.ask("GET", f"{cognito}/oauth2/authorize?{urlencode(query)}", _BROWSER)
    code = parse_qs(urlsplit(_submit(client, page, user).location).query)["code"][0]
    credentials = base64.b64encode(f"{pool.web_client_id}:{pool.web_client_secret}".encode()).decode()
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
    headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
    answer = client.ask("POST", f"{cognito}/oauth2/token", headers, urlencode(grant).encode())
    return str(answer.json()["access_token"])


def initiate_auth(cognito: str, client_id: str, user: User) -> Exchange:
    """Sign in through the user pools API, as mobile and command line programs do."""
    question = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": client_id,
        "AuthParameters": {"USERNAME": user.name, "PASSWORD": user.password},
    }
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "AWSCognitoIdentityProviderService.InitiateAuth",
    }
    return HttpClient().ask("POST", f"{cognito}/", headers, json.dumps(question).encode())


def tokens(answer: Exchange) -> tuple[str, str]:
    """The access token and the ID token of an InitiateAuth answer."""
    result = answer.json()["AuthenticationResult"]
    return result["AccessToken"], result["IdToken"]


def _submit(client: HttpClient, page: Exchange, user: User) -> Exchange:
    """Fill in the login form and send it."""
    form = _LoginForm(page.body.decode(errors="replace"))
    if not {"username", "password"} <= form.fields.keys():
        raise CannotRunError(f"no login form at {page.url}: status {page.status}")
    filled = urlencode(form.fields | {"username": user.name, "password": user.password}).encode()
    headers = _BROWSER | {"content-type": "application/x-www-form-urlencoded"}
    return client.ask("POST", urljoin(page.url, form.action), headers, filled)
