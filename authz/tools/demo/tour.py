"""The tour: requests of a browser, an API client and an attacker. Each response is checked."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authz.core.reasons import USER_POOLS_API_TEXT
from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.demo.login import browse, initiate_auth, log_in, tokens
from authz.tools.demo.stack import Stack
from authz.tools.demo.transcript import Transcript

_FORGED = {"x-auth-subject": "root", "x-auth-scopes": "orders/admin"}
_JSON = {"accept": "application/json"}


def walk(stack: Stack, transcript: Transcript) -> None:
    """Run every step. The transcript counts broken promises."""
    browser = HttpClient()
    _log_in(stack, transcript, browser)
    _see_identity(stack, transcript, browser)
    _come_without_token(stack, transcript)
    _lack_a_scope(stack, transcript, browser)
    _bring_api_token(stack, transcript)
    access, identity = _be_granted_a_scope(stack, transcript)
    _forge_headers(stack, transcript, access)
    _bring_id_token(stack, transcript, identity)
    _open_closed_page(stack, transcript, access)
    _log_out(stack, transcript, browser)


def _log_in(stack: Stack, transcript: Transcript, browser: HttpClient) -> None:
    transcript.step("A person opens the page and signs in through the hosted login page")
    exchanges = log_in(browser, f"{stack.place.home}/", stack.pool.staff)
    for exchange in exchanges:
        transcript.show(exchange, headers=["location", "set-cookie"])
    asked = parse_qs(urlsplit(exchanges[0].location).query)
    transcript.expect("Envoy sends the browser to Cognito's login page", exchanges[0].status == HTTPStatus.FOUND)
    transcript.expect("the login is bound to this browser (PKCE, S256)", asked.get("code_challenge_method") == ["S256"])
    transcript.expect("the session begins and the page is served", exchanges[-1].status == HTTPStatus.OK)
    transcript.expect("the session cookies are bound to this host", _has_only_host_cookies(browser))
    greeting = f"Signed in as {stack.pool.staff.name}".encode()
    transcript.expect("the page knows who signed in", greeting in exchanges[-1].body)


def _see_identity(stack: Stack, transcript: Transcript, browser: HttpClient) -> None:
    transcript.step("The service receives verified identity headers, and no cookie")
    exchange = browser.ask("GET", f"{stack.place.home}/orders", _JSON)
    transcript.show(exchange)
    transcript.expect("the scope orders/read opens GET /orders", exchange.status == HTTPStatus.OK)
    identity = _identity(exchange)
    transcript.expect("x-auth-username is the person", identity.get("x-auth-username") == stack.pool.staff.name)
    transcript.expect("x-auth-issuer is the issuer's alias", identity.get("x-auth-issuer") == "cognito")
    transcript.expect("the session cookies end at Envoy", "cookie" not in exchange.json().get("others", "cookie"))


def _come_without_token(stack: Stack, transcript: Transcript) -> None:
    transcript.step("A program comes without a token")
    exchange = HttpClient().ask("GET", f"{stack.place.home}/orders", _JSON)
    transcript.show(exchange, headers=["www-authenticate"])
    transcript.expect("401, reason token_missing", _is(exchange, HTTPStatus.UNAUTHORIZED, "token_missing"))
    transcript.expect("a bare challenge (RFC 6750 section 3.1)", exchange.challenge == 'Bearer realm="orders-api"')


def _lack_a_scope(stack: Stack, transcript: Transcript, browser: HttpClient) -> None:
    transcript.step("The session may read orders, not place them")
    exchange = browser.ask("POST", f"{stack.place.home}/orders", _JSON, b"{}")
    transcript.show(exchange, headers=["www-authenticate"])
    transcript.expect("403, reason scope_insufficient", _is(exchange, HTTPStatus.FORBIDDEN, "scope_insufficient"))
    transcript.expect("the challenge names what is missing", 'scope="orders/write"' in exchange.challenge)


def _bring_api_token(stack: Stack, transcript: Transcript) -> None:
    transcript.step("A token of the user pools API (InitiateAuth) carries no scope of ours")
    login = initiate_auth(stack.place.cognito, stack.pool.api_client_id, stack.pool.newcomer)
    transcript.show(login, body=False)
    exchange = _get_orders(stack, tokens(login)[0])
    transcript.show(exchange, headers=["www-authenticate"])
    transcript.expect("403, reason scope_insufficient", _is(exchange, HTTPStatus.FORBIDDEN, "scope_insufficient"))
    transcript.expect("the answer says why, and the way out", USER_POOLS_API_TEXT in exchange.challenge)


def _be_granted_a_scope(stack: Stack, transcript: Transcript) -> tuple[str, str]:
    transcript.step("The same kind of token of someone in order-readers: the issuer's grant gives the scope")
    login = initiate_auth(stack.place.cognito, stack.pool.api_client_id, stack.pool.reader)
    access, identity = tokens(login)
    exchange = _get_orders(stack, access)
    transcript.show(exchange)
    scopes = _identity(exchange).get("x-auth-scopes", "").split(" ")
    transcript.expect("200", exchange.status == HTTPStatus.OK)
    transcript.expect("the service sees the granted scope", "orders/read" in scopes)
    return access, identity


def _forge_headers(stack: Stack, transcript: Transcript, access: str) -> None:
    transcript.step("Forged identity headers never arrive")
    with_token = _get_orders(stack, access, **_FORGED)
    transcript.show(with_token)
    received = _identity(with_token)
    transcript.expect("with a token: verified values instead", not set(_FORGED.values()) & set(received.values()))
    transcript.expect("and the real subject among them", received.get("x-auth-username") == stack.pool.reader.name)
    without = HttpClient().ask("GET", f"{stack.place.home}/healthz", _JSON | _FORGED)
    transcript.show(without)
    transcript.expect("on a public route: removed", without.json().get("identity") == {})


def _bring_id_token(stack: Stack, transcript: Transcript, identity: str) -> None:
    transcript.step("An ID token says who signed in; it is not a key to the API")
    exchange = _get_orders(stack, identity)
    transcript.show(exchange, headers=["www-authenticate"])
    transcript.expect("401, reason token_use_mismatch", _is(exchange, HTTPStatus.UNAUTHORIZED, "token_use_mismatch"))


def _open_closed_page(stack: Stack, transcript: Transcript, access: str) -> None:
    transcript.step("A path that no route names is closed, even with a good token")
    exchange = HttpClient().ask("GET", f"{stack.place.home}/admin", _JSON | {"authorization": f"Bearer {access}"})
    transcript.show(exchange)
    transcript.expect("403, reason denied", _is(exchange, HTTPStatus.FORBIDDEN, "denied"))


def _log_out(stack: Stack, transcript: Transcript, browser: HttpClient) -> None:
    transcript.step("The person signs out, here and at Cognito")
    exchanges = browse(browser, f"{stack.place.home}/oauth2/signout")
    for exchange in exchanges:
        transcript.show(exchange, headers=["location"])
    left = urlsplit(exchanges[0].location)
    transcript.expect("through Cognito's own /logout", left.path == "/logout" and "logout_uri" in parse_qs(left.query))
    transcript.expect("which leads back, and so to the login page", exchanges[-1].url.startswith(stack.place.cognito))
    after = browser.ask("GET", f"{stack.place.home}/orders", _JSON)
    transcript.expect("the session is over", _is(after, HTTPStatus.UNAUTHORIZED, "token_missing"))


def _get_orders(stack: Stack, token: str, **headers: str) -> Exchange:
    sent = _JSON | {"authorization": f"Bearer {token}"} | headers
    return HttpClient().ask("GET", f"{stack.place.home}/orders", sent)


def _is(exchange: Exchange, status: HTTPStatus, reason: str) -> bool:
    return exchange.status == status and exchange.json().get("reason") == reason


def _identity(exchange: Exchange) -> dict[str, Any]:
    return dict(exchange.json().get("identity", {}))


def _has_only_host_cookies(browser: HttpClient) -> bool:
    names = [cookie.name for cookie in browser.cookies]
    return bool(names) and all(name.startswith("__Host-") for name in names)
