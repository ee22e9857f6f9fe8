"""Tokens that no login gives out, through real Envoy: each is refused for one reason."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.clients.envoy import MINTED_POOL
from tests.clients.world import World, signed
from tests.fakes import workloads

_ISSUER = f"https://cognito-idp.us-gov-west-1.amazonaws.com/{MINTED_POOL}"


def _access(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    times = {"iat": now, "auth_time": now, "exp": now + 600}
    token = {"iss": _ISSUER, "token_use": "access", "client_id": "app", "scope": "orders/read", "sub": "alice"}
    return token | times | changes


def _id(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in _access(token_use="id", aud="app").items() if name != "client_id"} | changes


@pytest.mark.parametrize(
    ("claims", "path", "expected"),
    [
        (_access(), "/orders", "200"),
        (_access(iss=_ISSUER.replace("cognito-idp", "issuer-cognito-idp")), "/orders", "200"),
        (_access(aud="https://orders.example.com"), "/orders", "200"),
        (_access(scope="aws.cognito.signin.user.admin orders/read"), "/orders", "200"),
        (_access(scope="aws.cognito.signin.user.admin"), "/orders", "403 scope_insufficient"),
        (_access(aud="https://orders.example.com", act={"sub": "agent"}), "/orders", "200"),
        (_access(aud="https://payments.example.com", act={"sub": "agent"}), "/orders", "401 audience_mismatch"),
        (_access(sub="app", scope="orders/read"), "/orders", "200"),
        (_id(), "/profile", "200"),
        (_access(iss=_ISSUER + "X"), "/orders", "401 issuer_unknown"),
        (_access(iss=_ISSUER.replace("us-gov-west-1.", "us-gov-east-1.")), "/orders", "401 issuer_unknown"),
        (_access(client_id="another"), "/orders", "401 audience_mismatch"),
        (_access(aud="https://payments.example.com"), "/orders", "401 audience_mismatch"),
        (_id(), "/orders", "401 token_use_mismatch"),
        (_access(), "/profile", "401 token_use_mismatch"),
        (_access(token_use="refresh"), "/me", "401 token_use_mismatch"),
        (_access(**{"cognito:groups": ["staff"]}), "/staff", "200"),
        (_access(**{"cognito:groups": "staff"}), "/staff", "403 claim_mismatch"),
        (_access(scope=["orders/read"]), "/orders", "401 token_malformed"),
        (_access(), "/partners", "401 issuer_not_accepted"),
        (workloads.github(iss=_ISSUER), "/me", "401 token_use_mismatch"),
    ],
    ids=[
        "good",
        "updated issuer",
        "bound to this resource",
        "scopes of the trigger (V2_0)",
        "no scopes of the trigger",
        "derived, for us",
        "derived, for another",
        "GetClientToken",
        "ID token",
        "wrong pool",
        "wrong region",
        "wrong client",
        "bound to another resource",
        "ID for access",
        "access for ID",
        "refresh",
        "groups as a list",
        "groups as a string",
        "scope as a list",
        "issuer of another route",
        "claims of another profile",
    ],
)
def test_one_reason_each(world: World, claims: dict[str, Any], path: str, expected: str) -> None:
    assert world.decision(path, signed("minted", claims)) == expected


@pytest.mark.parametrize("change", ["repository_id", "sub"])
def test_workload_token_without_a_claim_of_its_kind_is_malformed(world: World, change: str) -> None:
    claims = {name: value for name, value in workloads.github().items() if name != change}

    assert world.decision("/deploy", signed("github", claims)) == "401 token_malformed"


def test_pool_token_signed_by_a_workload_issuers_key_of_the_same_name_is_refused(world: World) -> None:
    assert world.decision("/orders", signed("github", _access())) == "401 signature_invalid"
