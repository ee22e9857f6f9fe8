"""A minted token passes every check of the sidecar unchanged, for every kind of issuer."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.check import decide
from authz.core.configuration import compile_configuration
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
    "kubernetes": {"profile": "kubernetes", "issuer": "https://kubernetes.default.svc", **_AUDIENCES},
    **{
        alg: {"profile": "oidc", "issuer": "https://idp.example.com", "algorithms": [alg], **_AUDIENCES}
        for alg in ALGORITHMS
    },
}


def _reason(fields: dict[str, Any], token: Token, document: bytes | None = None, text: str = "") -> Reason:
    configuration = compile_configuration({"issuers": {"it": fields}})
    issuer = configuration.issuers.by_alias["it"]
    rules = ServedRules.of(configuration, "test", KeyLookup({"it": TestKeys(issuer, document)}))
    headers = {"authorization": f"Bearer {text or mint(issuer, token, NOW)}"}
    return decide(rules, wire.write_request(Question("authenticated", headers=headers)), NOW, may_wait=False).reason


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
