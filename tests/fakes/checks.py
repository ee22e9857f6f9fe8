"""Checks without a server: a configuration, real keys and tokens, and the bytes of a CheckRequest in one hand.

`Rig().decide(token)` is one check of the product's own `decide`, at a fixed time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from authz.core import keyset
from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.decision import Decision
from authz.core.key_lookup import KeyLookup
from authz.core.keyset import KeySet
from authz.core.reasons import Reason
from authz.core.signature_algorithms import ALGORITHMS
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.served_rules import ServedRules
from tests.fakes.keys import PrivateKey, ec_key, jwk, jwks, rsa_key, sign

NOW = 1_800_000_000.0
"""The time of every check that does not say another."""

POOL = "ap-northeast-1_AbCdEfGhI"
COGNITO = f"https://cognito-idp.ap-northeast-1.amazonaws.com/{POOL}"
PARTNER = "https://idp.example.com/realms/partner"
CLIENT = "5onexampleclientid"
AUDIENCE = "orders"

COGNITO_KEY, COGNITO_KID = rsa_key(0), "cognito-1"
PARTNER_KEY, PARTNER_KID = ec_key(0), "partner-1"

AUTHZ: Mapping[str, Any] = {
    "issuers": {
        "cognito": {"profile": "cognito", "user_pool_id": POOL, "client_ids": [CLIENT]},
        "partner": {"profile": "oidc", "issuer": PARTNER, "audiences": [AUDIENCE]},
    },
    "policies": {
        "reading": {"scopes": {"any_of": ["orders/read", "orders/admin"]}},
        "staff": {"groups": ["staff"]},
        "cognito-only": {"issuers": ["cognito"]},
        "identity": {"token_use": "id"},
        "any-use": {"token_use": "any"},
        "recent": {"max_age": "15m"},
        "strong": {"acr": ["urn:cognito:loa:2", "urn:cognito:loa:3"]},
        "optional": {"optional": True, "scopes": ["orders/read"]},
    },
}
"""`node.metadata.authz` of the rig: one user pool, one other OpenID provider, a policy for every kind of demand."""


class FixedKeys:
    """A key source with fixed keys. Implements authz.core.key_lookup.KeySource."""

    def __init__(self, current: KeySet | None, fetch: Future[None] | None = None) -> None:
        self.current = current
        self.fetch = fetch
        self.asked = 0

    def ask(self) -> Future[None] | None:
        self.asked += 1
        return self.fetch


def key_set(**keys: PrivateKey) -> KeySet:
    """The snapshot of a JWKS that publishes these keys by their `kid`."""
    return keyset.parse(jwks(*(jwk(key, kid) for kid, key in keys.items())), ALGORITHMS, distinct_kids=True)


def key_sources() -> dict[str, FixedKeys]:
    """The keys that the rig's issuers publish, by alias."""
    return {
        "cognito": FixedKeys(key_set(**{COGNITO_KID: COGNITO_KEY})),
        "partner": FixedKeys(key_set(**{PARTNER_KID: PARTNER_KEY})),
    }


class Rig:
    """The rules of one configuration, and one check after another against them."""

    def __init__(
        self, authz: Mapping[str, Any] = AUTHZ, sources: Mapping[str, FixedKeys] | None = None, **parts: Any
    ) -> None:
        """`parts` are further arguments of ServedRules.of."""
        self.sources = dict(sources or key_sources())
        self.configuration = compile_configuration(authz)
        self.rules = ServedRules.of(self.configuration, "orders-api", KeyLookup(self.sources), **parts)

    def decide(
        self, token: str | None = None, policy: str = "authenticated", *, now: float = NOW, **headers: str
    ) -> Decision:
        """One check of a request with this bearer token."""
        return decide(self.rules, check_request(token, policy, **headers), now, may_wait=False)

    def reason(self, token: str | None = None, policy: str = "authenticated", *, now: float = NOW) -> Reason:
        """Why the request with this bearer token is forwarded or refused."""
        return self.decide(token, policy, now=now).reason

    def answer(self, token: str | None = None, policy: str = "authenticated", *, now: float = NOW) -> pb.CheckResponse:
        """What Envoy reads."""
        return pb.CheckResponse.FromString(self.rules.renderer.render(self.decide(token, policy, now=now)))


def check_request(token: str | None = None, policy: str = "authenticated", **headers: str) -> bytes:
    """The bytes of a CheckRequest, as Envoy sends it for a route that names the policy; `x_y` is the header x-y."""
    request = pb.CheckRequest()
    http = request.attributes.request.http
    http.id, http.method, http.path = "4242", "GET", "/orders/7?full=1"
    http.headers[":authority"] = "orders.example.com"
    for name, value in headers.items():
        http.headers[name.replace("_", "-")] = value
    if token is not None:
        http.headers["authorization"] = f"Bearer {token}"
    if policy:
        request.attributes.context_extensions["policy"] = policy
    return request.SerializeToString()


def authz_with(**issuers: Mapping[str, Any]) -> dict[str, Any]:
    """The rig's configuration with fields of its issuers replaced or added."""
    authz = copy.deepcopy(dict(AUTHZ))
    for alias, fields in issuers.items():
        authz["issuers"][alias] = {**authz["issuers"].get(alias, {}), **fields}
    return authz


def access_claims(**changes: Any) -> dict[str, Any]:
    """Claims of the pool's access token, as the hosted login gives it. A claim that is None is left out."""
    return _changed(
        {
            "iss": COGNITO,
            "sub": "0a1b2c3d-user",
            "client_id": CLIENT,
            "token_use": "access",
            "scope": "openid orders/read",
            "cognito:groups": ["staff"],
            "auth_time": int(NOW) - 60,
            "iat": int(NOW) - 60,
            "exp": int(NOW) + 3600,
            "jti": "5f0c-jti",
        },
        changes,
    )


def id_claims(**changes: Any) -> dict[str, Any]:
    """Claims of the pool's ID token."""
    own = {"aud": CLIENT, "token_use": "id", "client_id": None, "scope": None, "email": "jo@example.com"}
    return access_claims(**(own | changes))


def partner_claims(**changes: Any) -> dict[str, Any]:
    """Claims of the other provider's access token."""
    own = {"iss": PARTNER, "sub": "partner-user", "aud": AUDIENCE, "scope": "orders/read"}
    return _changed(own | {"iat": int(NOW) - 60, "exp": int(NOW) + 3600}, changes)


def access_token(*, key: PrivateKey = COGNITO_KEY, kid: str | None = COGNITO_KID, **changes: Any) -> str:
    """The pool's access token."""
    return sign(key, access_claims(**changes), kid=kid)


def id_token(**changes: Any) -> str:
    """The pool's ID token."""
    return sign(COGNITO_KEY, id_claims(**changes), kid=COGNITO_KID)


def partner_token(**changes: Any) -> str:
    """The other provider's access token."""
    return sign(PARTNER_KEY, partner_claims(**changes), kid=PARTNER_KID)


def _changed(claims: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}
