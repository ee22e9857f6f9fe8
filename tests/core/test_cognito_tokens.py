"""Cognito's tokens in the shapes that its documentation gives, the good ones and the ones that only look it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from authz.core.profiles import cognito_issuers
from tests.fakes.court import Court
from tests.fakes.keys import jwk, jwks, rsa_key, sign
from tests.fakes.workloads import AUDIENCE, github

POOL, CLIENT = "ap-northeast-1_AbCdEfGhI", "5onexampleclientid"
ISSUER = f"https://cognito-idp.ap-northeast-1.amazonaws.com/{POOL}"
OTHER_ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"


def _court() -> Court:
    """Three issuers whose key sets all have a key called `1`."""
    authz = {
        "issuers": {
            "people": {
                "profile": "cognito",
                "user_pool_id": POOL,
                "client_ids": [CLIENT],
                "audiences": ["https://orders.example.com"],
                "grants": [{"when": {"groups": {"any_of": [f"{POOL}_Okta"]}}, "scopes": ["orders/read"]}],
            },
            "partners": {"profile": "cognito", "user_pool_id": "eu-west-1_Other", "client_ids": ["partner"]},
            "ci": {"profile": "github-actions", "audiences": [AUDIENCE]},
        },
        "policies": {
            "read": {"scopes": "orders/read"},
            "people": {"issuers": ["people"]},
            "everybody": {"issuers": ["people", "partners", "ci"]},
            "identity": {"issuers": ["people"], "token_use": "id"},
            "admins": {"groups": "admin"},
            "saml": {"groups": f"{POOL}_Okta"},
            "okta": {"token_use": "id", "claims": {"/identities/0/providerName": "Okta"}},
        },
    }
    return Court(authz, {name: jwks(jwk(rsa_key(n), "1")) for n, name in enumerate(("people", "partners", "ci"))})


def _signed(claims: dict[str, Any], key: int = 0) -> str:
    return sign(rsa_key(key), {name: value for name, value in claims.items() if value is not None}, kid="1", typ=None)


def _access(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "iss": ISSUER,
        "version": 2,
        "client_id": CLIENT,
        "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
        "token_use": "access",
        "scope": "openid orders/read",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        "jti": "aaaaaaaa-bbbb-cccc-dddd-ffffffffffff",
        "username": "alice",
    } | changes


def _id(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "iss": ISSUER,
        "aud": CLIENT,
        "cognito:username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
        "token_use": "id",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
    } | changes


@pytest.mark.parametrize(
    ("kind", "changes", "policy", "reason"),
    [
        ("access", {}, "read", "ok"),
        ("id", {}, "identity", "ok"),
        ("access", {"version": None, "event_id": None, "origin_jti": None}, "read", "ok"),
        ("access", {"iss": OTHER_ISSUER.replace("Other", "None")}, "people", "issuer_unknown"),
        ("access", {"iss": ISSUER.lower()}, "people", "issuer_unknown"),
        ("access", {"iss": ISSUER + "/"}, "people", "issuer_unknown"),
        ("access", {"client_id": "6another"}, "people", "audience_mismatch"),
        ("access", {"client_id": None}, "people", "audience_mismatch"),
        ("access", {"client_id": None, "aud": CLIENT}, "people", "audience_mismatch"),
        ("access", {"aud": "https://orders.example.com"}, "people", "ok"),
        ("access", {"aud": ["https://orders.example.com", "https://else.example.com"]}, "people", "ok"),
        ("access", {"aud": "https://payments.example.com"}, "people", "audience_mismatch"),
        ("access", {"aud": []}, "people", "audience_mismatch"),
        ("id", {}, "people", "token_use_mismatch"),
        ("id", {"scope": "orders/read"}, "read", "token_use_mismatch"),
        ("access", {}, "identity", "token_use_mismatch"),
        ("access", {"token_use": "refresh"}, "people", "token_use_mismatch"),
        ("access", {"token_use": "refresh"}, "identity", "token_use_mismatch"),
        ("access", {"token_use": None}, "people", "token_use_mismatch"),
        ("access", {"token_use": ["access"]}, "people", "token_use_mismatch"),
        ("id", {"aud": "6another"}, "identity", "audience_mismatch"),
        ("id", {"aud": None, "client_id": CLIENT}, "identity", "audience_mismatch"),
        ("access", {"cognito:groups": ["admin"]}, "admins", "ok"),
        ("access", {"cognito:groups": "admin"}, "admins", "claim_mismatch"),
        ("access", {"cognito:groups": ["administrators"]}, "admins", "claim_mismatch"),
        ("access", {"cognito:groups": {"admin": True}}, "admins", "claim_mismatch"),
        ("access", {"scope": ["orders/read"]}, "read", "token_malformed"),
        ("access", {"scope": "orders/read\u00a0x"}, "read", "scope_insufficient"),
    ],
    ids=str,
)
def test_claims_decide_with_one_reason_each(kind: str, changes: dict[str, Any], policy: str, reason: str) -> None:
    claims = {"access": _access, "id": _id}[kind](**changes)

    assert _court().reason(_signed(claims), policy) == reason


def test_token_of_another_profile_is_taken_for_what_it_is() -> None:
    court = _court()

    assert court.reason(_signed(github(), key=2), "everybody") == "ok"
    assert court.reason(_signed(github(), key=2), "people") == "issuer_not_accepted"
    assert court.reason(_signed(github(token_use="access", client_id=CLIENT), key=2), "read") == "scope_insufficient"


@pytest.mark.parametrize("key", [1, 2])
def test_key_of_another_issuer_with_the_same_kid_verifies_nothing(key: int) -> None:
    assert _court().reason(_signed(_access(), key=key), "everybody") == "signature_invalid"


def test_pools_of_two_regions_are_kept_apart() -> None:
    court = _court()
    partner = _access(iss=OTHER_ISSUER, client_id="partner")

    assert court.reason(_signed(partner, key=1), "everybody") == "ok"
    assert court.reason(_signed(partner, key=1), "people") == "issuer_not_accepted"
    assert court.reason(_signed(partner | {"client_id": CLIENT}, key=1), "everybody") == "audience_mismatch"


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (POOL, [ISSUER, ISSUER.replace("cognito-idp", "issuer-cognito-idp")]),
        (
            "us-gov-west-1_AbC",
            [
                "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC",
                "https://issuer-cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC",
            ],
        ),
        ("cn-north-1_AbC", ["https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC"]),
    ],
)
def test_issuer_names_follow_the_region(pool: str, expected: list[str]) -> None:
    assert list(cognito_issuers(pool)) == expected


def test_pool_with_the_updated_issuer_is_the_same_issuer() -> None:
    updated = _access(iss=ISSUER.replace("cognito-idp", "issuer-cognito-idp"))

    assert _court().reason(_signed(updated), "read") == "ok"


def test_user_of_a_saml_provider_is_in_the_providers_group() -> None:
    """Cognito puts federated users into the group POOLID_PROVIDER, and the API's scope into no token of theirs."""
    federated = _access(username="Okta_alice@example.com", scope="openid", **{"cognito:groups": [f"{POOL}_Okta"]})
    court = _court()

    assert court.reason(_signed(federated), "saml") == "ok"
    assert court.reason(_signed(federated), "read") == "ok"
    assert court.reason(_signed(federated | {"cognito:groups": [f"{POOL}_Google"]}), "saml") == "claim_mismatch"
    assert court.reason(_signed(_access()), "saml") == "claim_mismatch"


def test_id_token_of_a_federated_user_names_the_provider() -> None:
    identities = [
        {
            "dateCreated": "1642699117273",
            "userId": "alice@example.com",
            "providerName": "Okta",
            "providerType": "SAML",
            "issuer": "http://www.okta.com/exk1example",
            "primary": "true",
        }
    ]
    court = _court()

    assert court.reason(_signed(_id(identities=identities)), "okta") == "ok"
    assert court.reason(_signed(_id(identities=[identities[0] | {"providerName": "Google"}])), "okta") == (
        "claim_mismatch"
    )
    assert court.reason(_signed(_id()), "okta") == "claim_mismatch"


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"client_ids": [CLIENT]}, "audience_mismatch"),
        ({"client_ids": "any"}, "audience_mismatch"),
        ({"client_ids": "any", "audiences": ["https://orders.example.com"]}, "audience_mismatch"),
        ({"client_ids": "any", "audiences": ["https://payments.example.com"]}, "ok"),
        ({"client_ids": ["https://payments.example.com", CLIENT]}, "ok"),
        ({"client_ids": [CLIENT], "audiences": "any"}, "ok"),
        ({"client_ids": "any", "audiences": "any"}, "ok"),
        ({"client_ids": ["6another"], "audiences": "any"}, "audience_mismatch"),
    ],
    ids=str,
)
def test_token_bound_to_a_resource_counts_where_the_operator_lists_it(lists: dict[str, Any], reason: str) -> None:
    """A token that says whom it is for (RFC 8707) is not for us by `client_ids: any` alone."""
    people = {"profile": "cognito", "user_pool_id": POOL, **lists}
    court = Court({"issuers": {"people": people}}, {"people": jwks(jwk(rsa_key(0), "1"))})

    assert court.reason(_signed(_access(aud="https://payments.example.com")), "authenticated") == reason
    if "6another" not in lists["client_ids"]:
        assert court.reason(_signed(_access()), "authenticated") == "ok"
