"""The hosted login pages and token endpoint of Cognito: the OpenID provider's face, whose tokens carry scopes."""

from __future__ import annotations

from urllib.parse import urlencode

from authz.tools.demo.client import HttpClient
from authz.tools.demo.provision import User
from tests.clients.pages import CALLBACK
from tests.clients.test_user_pools_api import IDENTITY
from tests.clients.world import World

READING = {
    "/orders": "200",
    "/staff": "403 claim_mismatch",
    "/me": "200",
    "/profile": "401 token_use_mismatch",
    "/deploy": "403 scope_insufficient",
}
NOTHING = READING | {"/orders": "403 scope_insufficient"}


def _person(user: User) -> dict[str, str]:
    return {"username": user.name, "password": user.password}


def test_code_flow_with_pkce_gives_the_scopes_that_were_asked_for(world: World) -> None:
    tokens = world.people.web.sign_in(_person(world.people.staff), "openid orders/read")

    flow = "hosted UI: code with PKCE"
    expected = READING | {"/staff": "200"}
    assert world.put_down("Cognito", flow, "browser", "access", tokens["access_token"]) == expected
    assert world.put_down("Cognito", flow, "browser", "id", tokens["id_token"]) == IDENTITY


def test_login_that_asks_for_no_scope_of_the_application_gets_none(world: World) -> None:
    tokens = world.people.web.sign_in(_person(world.people.newcomer), "openid email")

    decisions = world.put_down("Cognito", "hosted UI: code with PKCE", "browser", "access", tokens["access_token"])

    assert decisions == NOTHING


def test_refreshed_token_carries_the_scopes_of_the_first(world: World) -> None:
    web = world.people.web
    first = web.sign_in(_person(world.people.newcomer), "openid orders/read")

    fresh = web.tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])

    flow = "hosted UI: refresh"
    assert fresh["access_token"] != first["access_token"]
    assert world.put_down("Cognito", flow, "browser", "access", fresh["access_token"]) == READING
    assert world.put_down("Cognito", flow, "browser", "id", fresh["id_token"]) == IDENTITY


def test_machine_has_the_scopes_of_its_client_and_no_groups(world: World) -> None:
    tokens = world.people.batch.tokens(grant_type="client_credentials", scope="orders/read")

    decisions = world.put_down("Cognito", "client_credentials", "HTTP", "access", tokens["access_token"])

    assert decisions == READING


def test_machine_without_the_scope_gets_no_token_for_it(world: World) -> None:
    answer = world.people.batch.tokens(grant_type="client_credentials", scope="orders/write")

    assert "access_token" not in answer


def test_token_that_opens_the_route_opens_userinfo_as_well(world: World) -> None:
    token = world.people.web.sign_in(_person(world.people.staff), "openid orders/read")["access_token"]

    answer = HttpClient().ask("GET", f"{world.people.address}/oauth2/userInfo", {"authorization": f"Bearer {token}"})

    assert answer.status == 200
    assert answer.json()["sub"] == world.ask("/me", token).json()["identity"]["x-auth-subject"]


def test_logout_leads_back_to_the_application(world: World) -> None:
    query = urlencode({"client_id": world.people.web.client_id, "logout_uri": CALLBACK})

    answer = HttpClient().ask("GET", f"{world.people.address}/logout?{query}")

    assert answer.status == 302
    assert answer.location == CALLBACK


def test_revoked_refresh_token_gives_no_more_and_what_it_gave_lasts_until_it_expires(world: World) -> None:
    web = world.people.web
    tokens = web.sign_in(_person(world.people.staff), "openid orders/read")

    world.people.admin().revoke_token(
        Token=tokens["refresh_token"], ClientId=web.client_id, ClientSecret=web.client_secret
    )

    assert web.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])["error"] == "invalid_grant"
    assert world.decision("/orders", tokens["access_token"]) == "200"
