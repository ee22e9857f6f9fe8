"""Tokens in the documented shapes of providers that cannot run here, through the running sidecar.

Sources: the token references of Auth0, Microsoft Entra, Google, Okta, AD FS, Zitadel, and Cloud Foundry UAA.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from authz.core.issuers import TENANT
from tests.fakes.keys import jwk, jwks, rsa_key, sign
from tests.fakes.sidecar import Sidecar, bootstrap, sidecar

_KEY, _KID = rsa_key(61), "shape"
_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(frozen=True, slots=True)
class Shape:
    """One provider: the issuer as operators configure it, a token, and a policy that only good tokens meet."""

    issuer: str
    claims: Mapping[str, Any]
    policy: Mapping[str, Any]
    typ: str = "JWT"
    fields: Mapping[str, Any] = field(default_factory=dict)


SHAPES: Mapping[str, Shape] = {
    "auth0": Shape(
        "https://shop.eu.auth0.com/",
        {"aud": ["orders", "https://shop.eu.auth0.com/userinfo"], "azp": "cl1", "scope": "openid orders/read"}
        | {"permissions": ["read:orders"], "https://shop.example/roles": ["staff"]},
        {"scopes": ["orders/read"], "groups": ["read:orders"], "claims": {"https://shop.example/roles": "staff"}},
        typ="at+jwt",
        fields={"profile": "auth0"},
    ),
    "entra-v2": Shape(
        f"https://login.microsoftonline.com/{_TENANT}/v2.0",
        {"aud": "orders", "azp": "cl1", "ver": "2.0", "tid": _TENANT, "oid": "o1", "roles": ["Orders.Read"]},
        {"groups": ["Orders.Read"], "claims": {"tid": _TENANT}},
        fields={"profile": "entra", "issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0", "tenants": [_TENANT]},
    ),
    "entra-v1": Shape(
        f"https://sts.windows.net/{_TENANT}/",
        {"aud": "orders", "appid": "cl1", "ver": "1.0", "tid": _TENANT, "roles": ["Orders.Read"]},
        {"groups": ["Orders.Read"], "claims": {"appid": "cl1"}},
        fields={"profile": "entra", "issuer": f"https://sts.windows.net/{TENANT}/", "tenants": "any"},
    ),
    "google": Shape(
        "https://accounts.google.com",
        {"aud": "orders", "azp": "orders", "email": "alice@example.com", "email_verified": True, "hd": "example.com"},
        {"claims": {"hd": "example.com", "email_verified": True}},
        fields={"profile": "google"},
    ),
    "okta": Shape(
        "https://example.okta.com/oauth2/aus1",
        {"aud": "orders", "cid": "0oa1", "scp": ["openid", "orders/read"], "ver": 1, "groups": ["staff"]},
        {"scopes": ["orders/read"], "groups": ["staff"]},
        fields={"profile": "okta"},
    ),
    "entra-scp": Shape(
        "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
        {"aud": "orders", "azp": "cl1", "ver": "2.0", "scp": "orders/read orders/write"},
        {"scopes": ["orders/read", "orders/write"]},
    ),
    "adfs": Shape(
        "http://adfs.example.com/adfs/services/trust",
        {"aud": "orders", "appid": "app1", "auth_time": "2026-11-25T17:36:54.191Z", "scp": "openid", "group": "staff"},
        {"scopes": ["openid"], "groups": ["staff"]},
        fields={"profile": "adfs"},
    ),
    "uaa": Shape(
        "https://uaa.example.com/oauth/token",
        {"aud": ["orders"], "cid": "cl1", "client_id": "cl1", "scope": ["openid", "orders/read"]},
        {"scopes": ["orders/read"]},
    ),
    "zitadel": Shape(
        "https://shop.zitadel.cloud",
        {"aud": "orders", "urn:zitadel:iam:org:project:roles": {"staff": {"org1": "example.com"}}},
        {"groups": ["staff"]},
        fields={"groups_claim": "urn:zitadel:iam:org:project:roles"},
    ),
}


@pytest.fixture(scope="module")
def served() -> Iterator[Sidecar]:
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "keys.json").write_bytes(jwks(jwk(_KEY, _KID)))
        common: dict[str, Any] = {"profile": "oidc", "audiences": ["orders"], "jwks_file": str(folder / "keys.json")}
        policies = {name: {"issuers": [name], **shape.policy} for name, shape in SHAPES.items()}
        configuration = bootstrap(folder, 1, policies=policies)
        configuration["node"]["metadata"]["authz"]["issuers"] = {
            name: {**common, "issuer": shape.issuer, **shape.fields} for name, shape in SHAPES.items()
        }
        with sidecar(1, configuration=configuration) as one:
            yield Sidecar(one.directory, one.child, one.admin, (f"unix:{folder}/authz-0.sock",))


def _token(shape: Shape, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": shape.issuer, "sub": "alice", "iat": now, "nbf": now, "exp": now + 600, **shape.claims, **changes}
    return sign(_KEY, claims, kid=_KID, typ=shape.typ)


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_in_the_documented_shape_is_accepted(served: Sidecar, name: str) -> None:
    assert served.check(_token(SHAPES[name]), name) == "ok"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"aud": "payments"}, "audience_mismatch"), ({"exp": 1}, "token_expired"), ({"iss": "x"}, "issuer_unknown")],
    ids=["other audience", "expired", "other issuer"],
)
def test_the_same_shape_is_refused_for_one_reason(
    served: Sidecar, name: str, changes: dict[str, Any], reason: str
) -> None:
    assert served.check(_token(SHAPES[name], **changes), name) == reason
