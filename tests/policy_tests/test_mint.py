"""A minted token passes every check of the sidecar unchanged, for every kind of issuer."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.decision import Decision
from authz.core.key_lookup import KeyLookup
from authz.core.keyset import UnusableKeySet
from authz.core.reasons import Reason
from authz.core.signature_algorithms import ALGORITHMS
from authz.server import wire
from authz.server.conversation import Question
from authz.server.served_rules import ServedRules
from authz.tools.policy_tests.mint import TestKeys, Token, mint
from tests.fakes.checks import NOW, POOL
from tests.fakes.keys import ec_key, jwk, jwks, sign

_AUDIENCES = {"audiences": ["orders"]}
_ISSUERS: dict[str, dict[str, Any]] = {
    "cognito": {"profile": "cognito", "user_pool_id": POOL, "client_ids": ["b", "a"]},
    "any client": {"profile": "cognito", "user_pool_id": POOL, "client_ids": "any"},
    "oidc": {"profile": "oidc", "issuer": "https://idp.example.com", **_AUDIENCES},
    "any audience": {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": "any"},
    "github": {"profile": "github-actions", **_AUDIENCES},
    "gitlab": {"profile": "gitlab-ci", **_AUDIENCES},
    "circleci": {
        "profile": "circleci",
        "issuer": "https://oidc.circleci.com/org/6f7ac1f3-8d7e-4c7b-9a0e-1d2f3a4b5c6d",
        **_AUDIENCES,
    },
    "entra": {"profile": "entra", "tenants": ["b-tenant", "a-tenant"], **_AUDIENCES},
    "any tenant": {"profile": "entra", "tenants": "any", **_AUDIENCES},
    "okta": {"profile": "okta", "issuer": "https://idp.example.com", **_AUDIENCES},
    "auth0": {"profile": "auth0", "issuer": "https://idp.example.com", **_AUDIENCES},
    "keycloak": {"profile": "keycloak", "issuer": "https://idp.example.com", **_AUDIENCES},
    "google": {"profile": "google", "groups_claim": "hd", **_AUDIENCES},
    "adfs": {
        "profile": "adfs",
        "issuer": "http://adfs.example.com/adfs/services/trust",
        "jwks_uri": "https://adfs.example.com/adfs/discovery/keys",
        **_AUDIENCES,
    },
    "spiffe": {"profile": "spiffe", "issuer": "https://td.example.com", **_AUDIENCES},
    "kubernetes": {"profile": "kubernetes", "issuer": "https://kubernetes.default.svc", **_AUDIENCES},
    **{
        alg: {"profile": "oidc", "issuer": "https://idp.example.com", "algorithms": [alg], **_AUDIENCES}
        for alg in ALGORITHMS
    },
}


_WORKLOADS = ("github-actions", "gitlab-ci", "circleci", "kubernetes", "spiffe")


def _reason(fields: dict[str, Any], token: Token, document: bytes | None = None, text: str = "") -> Reason:
    return _decision(fields, token, "authenticated", document, text).reason


def _decision(
    fields: dict[str, Any], token: Token, policy: str, document: bytes | None = None, text: str = ""
) -> Decision:
    configuration = compile_configuration({"issuers": {"it": fields}})
    issuer = configuration.issuers.by_alias["it"]
    rules = ServedRules.of(configuration, "test", KeyLookup({"it": TestKeys(issuer, document)}))
    headers = {"authorization": f"Bearer {text or mint(issuer, token, NOW)}"}
    return decide(rules, wire.write_request(Question(policy, headers=headers)), NOW, may_wait=False)


@pytest.mark.parametrize("name", _ISSUERS)
def test_minted_token_is_good_for_every_profile_and_algorithm(name: str) -> None:
    assert _reason(_ISSUERS[name], Token({})) is Reason.OK


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (Token({}, age_seconds=7200), Reason.TOKEN_EXPIRED),
        (Token({}, age_seconds=-300), Reason.TOKEN_NOT_YET_VALID),
        (Token({}, age_seconds=7200, lifetime_seconds=10_000), Reason.OK),
        (Token({}, is_forged=True), Reason.SIGNATURE_INVALID),
        (Token({"exp": None}), Reason.TOKEN_MALFORMED),
        (Token({"token_use": "id"}), Reason.TOKEN_USE_MISMATCH),
        (Token({"client_id": "other"}), Reason.AUDIENCE_MISMATCH),
        (Token({}, header={"kid": None}), Reason.TOKEN_MALFORMED),
        (Token({}, header={"alg": "none"}), Reason.ALGORITHM_NOT_ALLOWED),
        (Token({}, header={"typ": "logout+jwt"}), Reason.TOKEN_USE_MISMATCH),
    ],
)
def test_one_change_makes_the_one_refusal(token: Token, reason: Reason) -> None:
    assert _reason(_ISSUERS["cognito"], token) is reason


def test_real_token_is_good_where_its_key_is_pinned() -> None:
    document = jwks(jwk(ec_key(), "real"))
    claims = {"iss": "https://idp.example.com", "aud": "orders", "exp": NOW + 60}
    text = sign(ec_key(), claims, kid="real")

    assert _reason(_ISSUERS["oidc"], Token({}), document, text) is Reason.OK
    assert _reason(_ISSUERS["oidc"], Token({}), None, text) is Reason.KEY_UNKNOWN


def test_document_without_a_usable_key_is_an_error() -> None:
    with pytest.raises(UnusableKeySet):
        _reason(_ISSUERS["oidc"], Token({}), b"{}")


_PEOPLE = [name for name in _ISSUERS if _ISSUERS[name]["profile"] not in _WORKLOADS]


@pytest.mark.parametrize("name", _PEOPLE)
def test_scopes_groups_and_client_are_where_the_issuer_reads_them(name: str) -> None:
    issuer = compile_configuration({"issuers": {"it": _ISSUERS[name]}}).issuers.by_alias["it"]
    client = "a"  # one of the client_ids of `cognito`
    token = Token({}, scopes=("r", "w"), groups=("staff", "x"), client=client)

    identity = _decision(_ISSUERS[name], token, "{groups: [staff, x], scopes: [r, w]}").identity

    assert identity is not None
    assert (identity.client, identity.groups, identity.scopes) == (
        client,
        frozenset({"staff", "x"}),
        frozenset({"r", "w"}),
    )
    assert identity.issuer.alias == issuer.alias


@pytest.mark.parametrize(
    ("claims", "iss", "tid"),
    [
        ({}, "a-tenant", "a-tenant"),
        ({"tid": "b-tenant"}, "b-tenant", "b-tenant"),
        ({"iss": "https://sts.windows.net/b-tenant/"}, None, "b-tenant"),
    ],
)
def test_the_tenant_of_a_minted_token_agrees_with_its_issuer(claims: dict[str, Any], iss: str | None, tid: str) -> None:
    decision = _decision(_ISSUERS["entra"], Token(claims), "authenticated")

    assert decision.reason is Reason.OK
    assert decision.identity is not None
    assert decision.identity.claims["tid"] == tid
    assert iss is None or decision.identity.claims["iss"] == f"https://login.microsoftonline.com/{iss}/v2.0"


def test_a_tenant_that_the_test_contradicts_is_refused() -> None:
    contradiction = {"tid": "a-tenant", "iss": "https://sts.windows.net/b-tenant/"}

    assert _reason(_ISSUERS["entra"], Token(contradiction)) is Reason.ISSUER_UNKNOWN
