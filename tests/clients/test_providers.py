"""OpenID providers found by discovery: a certified one, and one that rotates its keys under traffic."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from authz.sources.environment import COOL_DOWN_SECONDS
from authz.tools.demo.client import HttpClient
from tests.clients.pages import CALLBACK, Application, authorize
from tests.clients.test_hosted_ui import READING
from tests.clients.world import World
from tests.fakes.waiting import until

OPEN = READING | {"/profile": "401 token_use_mismatch"}
ELSEWHERE = dict.fromkeys(READING, "401 audience_mismatch") | {"/profile": "401 token_use_mismatch"}
"""What an ID token may do: its audience is the client, and the profile `oidc` cannot tell it from others."""

ALICE = {"login": "alice", "username": "alice", "password": "Permanent-1a"}


def _web(provider: str, name: str = "web") -> Application:
    return Application(f"{provider}/auth", f"{provider}/token", name, f"{name}-secret-of-at-least-32-characters")


def test_implicit_flow(world: World, provider: str) -> None:
    asked = {"client_id": "single-page", "redirect_uri": CALLBACK, "scope": "openid orders/read", "nonce": "n-0S6"}

    callback = authorize(f"{provider}/auth", ALICE, response_type="id_token token", **asked)

    expected = OPEN | {"/staff": "200"}
    assert world.put_down("oidc-provider", "implicit", "browser", "access", callback["access_token"]) == expected
    assert world.put_down("oidc-provider", "implicit", "browser", "id", callback["id_token"]) == ELSEWHERE


def test_code_flow_and_refresh(world: World, provider: str) -> None:
    web = _web(provider)
    tokens = web.sign_in(ALICE, "openid offline_access orders/read", prompt="consent")

    fresh = web.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    expected = OPEN | {"/staff": "200"}
    flow = "code with PKCE"
    assert world.put_down("oidc-provider", flow, "browser", "access", tokens["access_token"]) == expected
    assert world.put_down("oidc-provider", "refresh", "browser", "access", fresh["access_token"]) == expected
    assert set(world.put_down("oidc-provider", flow, "browser", "refresh", fresh["refresh_token"]).values()) == {
        "401 token_malformed"
    }


def test_client_credentials(world: World, provider: str) -> None:
    token = _web(provider, "batch").tokens(grant_type="client_credentials", scope="orders/read")["access_token"]

    assert world.put_down("oidc-provider", "client_credentials", "HTTP", "access", token) == OPEN


def test_revocation_ends_the_refresh_token_at_once_and_the_access_token_when_it_expires(
    world: World, provider: str
) -> None:
    web = _web(provider)
    tokens = web.sign_in(ALICE, "openid offline_access orders/read", prompt="consent")

    assert web.post(f"{provider}/token/revocation", token=tokens["refresh_token"]).status == 200

    assert web.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])["error"] == "invalid_grant"
    assert world.decision("/orders", tokens["access_token"]) == "200"


def test_provider_of_our_own_with_a_grant(world: World) -> None:
    tokens = world.portal().sign_in(ALICE, "openid")

    expected = OPEN | {"/staff": "200"}
    flow = "code with PKCE"
    assert world.put_down("nanoidp", flow, "browser", "access", tokens["access_token"]) == expected
    assert world.put_down("nanoidp", flow, "browser", "id", tokens["id_token"]) == ELSEWHERE


def test_keys_that_rotate_under_traffic_lose_no_request(world: World) -> None:
    old = _campus_token(world)
    stop, statuses = Event(), list[str]()

    def keep_asking() -> None:
        while not stop.is_set():
            statuses.append(world.decision("/orders", old))

    with ThreadPoolExecutor(1) as pool:
        traffic = pool.submit(keep_asking)
        try:
            for _ in range(2):
                # A rotation within the cool-down of the last fetch is known when it is over: docs/operations.md.
                time.sleep(COOL_DOWN_SECONDS + 0.5)
                before = _kid(world)
                assert HttpClient().ask("POST", f"{world.campus}/api/keys/rotate").status == 200
                assert _kid(world) != before
                assert world.decision("/orders", _campus_token(world)) == "200"
            count = len(statuses)
            until(lambda: len(statuses) > count, 10)
        finally:
            stop.set()
    traffic.result(10)

    assert set(statuses) == {"200"}


def _campus_token(world: World) -> str:
    portal = world.portal()
    return str(portal.tokens(grant_type="password", username="alice", password="Permanent-1a")["access_token"])


def _kid(world: World) -> str:
    return str(HttpClient().ask("GET", f"{world.campus}/api/keys/info").json()["active_kid"])
