"""Challenges that say how to get a better token: step-up (RFC 9470) and resource metadata (RFC 9728)."""

from __future__ import annotations

from typing import Any

import pytest

from authz.server import wire
from authz.server.conversation import Answer
from tests.fakes.checks import AUTHZ, NOW, Rig, access_token

METADATA = 'resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"'
RESOURCE = {"resource": {"id": "https://orders.example.com"}}


def _rig(policy: dict[str, Any] | None = None, **fields: Any) -> Rig:
    return Rig({**AUTHZ, "policies": {**AUTHZ["policies"], "strong": policy or {}}, **fields})


def _answer(rig: Rig, token: str | None, policy: str = "strong") -> Answer:
    return wire.read_answer(rig.rules.renderer.render(rig.decide(token, policy)))


@pytest.mark.parametrize("acr", ["urn:cognito:loa:2", "urn:cognito:loa:3"])
def test_a_token_with_an_accepted_acr_is_forwarded(acr: str) -> None:
    rig = _rig({"acr": ["urn:cognito:loa:2", "urn:cognito:loa:3"]})

    assert _answer(rig, access_token(acr=acr)).is_forwarded


@pytest.mark.parametrize(
    "acr", ["urn:cognito:loa:1", "URN:COGNITO:LOA:2", "urn:cognito:loa:2 ", ["urn:cognito:loa:2"], 2, None, {}, True]
)
def test_any_other_acr_is_refused_with_the_values_that_would_do(acr: Any) -> None:
    answer = _answer(_rig({"acr": "urn:cognito:loa:2"}), access_token(acr=acr))

    assert answer.status == 401
    assert answer.metadata["reason"] == "acr_insufficient"
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="orders-api", error="insufficient_user_authentication", '
        'error_description="A stronger sign-in is required", acr_values="urn:cognito:loa:2"'
    )


def test_a_token_without_acr_is_refused() -> None:
    assert _answer(_rig({"acr": "urn:cognito:loa:2"}), access_token()).metadata["reason"] == "acr_insufficient"


def test_a_step_up_names_both_conditions_so_that_one_sign_in_meets_them() -> None:
    rig = _rig({"acr": "urn:cognito:loa:2", "max_age": "5m"})

    challenge = _answer(rig, access_token(auth_time=NOW - 3600)).headers["www-authenticate"]

    assert challenge.endswith('max_age="300", acr_values="urn:cognito:loa:2"')


def test_every_401_names_the_metadata_and_the_scope_of_the_route() -> None:
    rig = _rig({"scopes": {"any_of": ["orders/read", "orders/admin"]}}, **RESOURCE)

    challenge = _answer(rig, None).headers["www-authenticate"]

    assert challenge == f'Bearer realm="orders-api", scope="orders/admin orders/read", {METADATA}'


def test_an_insufficient_scope_names_the_metadata_too() -> None:
    rig = _rig({"scopes": "orders/admin"}, **RESOURCE)

    challenge = _answer(rig, access_token()).headers["www-authenticate"]

    assert 'error="insufficient_scope"' in challenge
    assert challenge.endswith(f'scope="orders/admin", {METADATA}')


def test_without_the_field_a_challenge_is_as_before() -> None:
    assert _answer(_rig({"scopes": "orders/read"}), None).headers["www-authenticate"] == 'Bearer realm="orders-api"'


def test_a_refusal_that_has_no_challenge_gets_none() -> None:
    assert "www-authenticate" not in _answer(_rig({}, **RESOURCE), None, "deny").headers
