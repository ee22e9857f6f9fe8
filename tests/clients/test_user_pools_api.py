"""The user pools API through real clients: unless a trigger adds them, its tokens carry no scope of the application."""

from __future__ import annotations

import json

import pytest

from authz.core.reasons import USER_POOLS_API_TEXT
from authz.tools.demo.client import HttpClient
from tests.clients.directory import PERMANENT
from tests.clients.world import VENV, World, run, sign_in
from tests.fakes.waiting import until

TRAP = {
    "/orders": "403 scope_insufficient",
    "/staff": "403 claim_mismatch",
    "/me": "200",
    "/profile": "401 token_use_mismatch",
    "/deploy": "403 scope_insufficient",
}
"""The access of a user pools API token without a grant."""

GRANTED = TRAP | {"/orders": "200"}
STAFF = TRAP | {"/staff": "200"}
IDENTITY = dict.fromkeys(TRAP, "401 token_use_mismatch") | {"/profile": "200"}


def _see(world: World, flow: str, client: str, tokens: dict[str, str], expected: dict[str, str]) -> None:
    assert world.put_down("Cognito", flow, client, "access", tokens["access"]) == expected
    assert world.put_down("Cognito", flow, client, "id", tokens["id"]) == IDENTITY


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"])
def test_boto3(world: World, boto: list[str], flow: str) -> None:
    tokens = sign_in(boto, world.people, world.people.staff, flow)

    _see(world, f"API: {flow}", "boto3", tokens, STAFF)


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"])
def test_boto3_answers_the_challenge_of_a_temporary_password(world: World, boto: list[str], flow: str) -> None:
    invited = world.people.invite(f"invited-{flow.lower()}")

    tokens = sign_in(boto, world.people, invited, flow, PERMANENT)

    _see(world, f"API: {flow}, NEW_PASSWORD_REQUIRED", "boto3", tokens, GRANTED)


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "REFRESH_TOKEN_AUTH"])
def test_pycognito(world: World, pycognito: list[str], flow: str) -> None:
    tokens = sign_in(pycognito, world.people, world.people.reader, flow)

    _see(world, f"API: {flow}", "pycognito", tokens, GRANTED)


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "REFRESH_TOKEN_AUTH"])
def test_cognito_identity_js(world: World, javascript: list[str], flow: str) -> None:
    tokens = sign_in(javascript, world.people, world.people.newcomer, flow)

    _see(world, f"API: {flow}", "amazon-cognito-identity-js", tokens, TRAP)


def test_cognito_identity_js_answers_the_challenge_of_a_temporary_password(world: World, javascript: list[str]) -> None:
    invited = world.people.invite("invited-js")

    tokens = sign_in(javascript, world.people, invited, "USER_SRP_AUTH", PERMANENT)

    _see(world, "API: USER_SRP_AUTH, NEW_PASSWORD_REQUIRED", "amazon-cognito-identity-js", tokens, GRANTED)


@pytest.mark.parametrize("flow", ["USER_SRP_AUTH", "USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"])
def test_amplify(world: World, amplify: list[str], flow: str) -> None:
    tokens = sign_in(amplify, world.people, world.people.newcomer, flow)

    _see(world, f"API: {flow}", "aws-amplify", tokens, TRAP)


def test_amplify_answers_the_challenge_of_a_temporary_password(world: World, amplify: list[str]) -> None:
    invited = world.people.invite("invited-amplify")

    tokens = sign_in(amplify, world.people, invited, "USER_SRP_AUTH", PERMANENT)

    _see(world, "API: USER_SRP_AUTH, NEW_PASSWORD_REQUIRED", "aws-amplify", tokens, GRANTED)


def test_the_command_that_people_type(world: World) -> None:
    directory, user = world.people, world.people.newcomer
    command = [
        *("aws", "cognito-idp", "admin-initiate-auth"),
        *("--user-pool-id", directory.pool_id),
        *("--client-id", directory.app_client_id),
        *("--auth-flow", "ADMIN_USER_PASSWORD_AUTH"),
        *("--auth-parameters", f"USERNAME={user.name},PASSWORD={user.password}"),
    ]

    said = json.loads(run([str(VENV / "bin" / command[0]), *command[1:]], directory))["AuthenticationResult"]

    tokens = {"access": said["AccessToken"], "id": said["IdToken"]}
    _see(world, "API: ADMIN_USER_PASSWORD_AUTH", "AWS CLI", tokens, TRAP)


def test_refused_token_is_answered_with_the_fix(world: World, boto: list[str]) -> None:
    token = sign_in(boto, world.people, world.people.newcomer, "USER_PASSWORD_AUTH")["access"]
    assert _count(world) == 0

    answer = world.ask("/counted", token)

    assert answer.status == 403
    assert answer.json()["error_description"] == USER_POOLS_API_TEXT
    until(lambda: _count(world) == 1, 10)
    until(lambda: world.log_line(answer.json()["request_id"]), 10)
    line = world.log_line(answer.json()["request_id"])
    assert line is not None
    assert "in no group: grants of people give orders/read to groups any_of [order-readers]" in line["detail"]


def test_refresh_token_as_a_bearer_token_is_refused(world: World, boto: list[str]) -> None:
    """The emulator's refresh tokens are signed with the pool's key; those of the real service are encrypted."""
    token = sign_in(boto, world.people, world.people.reader, "USER_PASSWORD_AUTH")["refresh"]

    assert set(world.put_down("Cognito", "API: USER_PASSWORD_AUTH", "boto3", "refresh", token).values()) == {
        "401 token_use_mismatch"
    }


def test_signed_out_user_keeps_the_access_until_it_expires(world: World, boto: list[str]) -> None:
    """A signature cannot be taken back: what ends at once is the refresh token."""
    tokens = sign_in(boto, world.people, world.people.reader, "USER_PASSWORD_AUTH")
    cognito = world.people.admin()

    cognito.global_sign_out(AccessToken=tokens["access"])

    assert world.decision("/orders", tokens["access"]) == "200"
    app = world.people.app_client_id
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.initiate_auth(
            ClientId=app, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": tokens["refresh"]}
        )


def _count(world: World) -> float:
    page = HttpClient().ask("GET", f"{world.admin}/metrics").body.decode()
    name = 'authz_user_pools_api_scope_refusals_total{issuer="people",policy="counted"}'
    (found,) = [line.split()[-1] for line in page.splitlines() if line.startswith(name)]
    return float(found)
