"""Users of one Cognito pool: tokens as the user pools API gives them, and a court that knows the pool."""

from __future__ import annotations

import time
from typing import Any

from tests.fakes.court import Court
from tests.fakes.keys import jwk, jwks, rsa_key, sign

POOL = "ap-northeast-1_AbCdEfGhI"
API_SCOPE = "aws.cognito.signin.user.admin"


def court(*grants: dict[str, Any], **policies: Any) -> Court:
    """Issuer `people` with these grants, policy `read` and the ones given."""
    people: dict[str, Any] = {"profile": "cognito", "user_pool_id": POOL, "client_ids": "any"}
    if grants:
        people["grants"] = list(grants)
    policies = {"read": {"scopes": {"any_of": ["orders/read", "orders/admin"]}}, **policies}
    return Court({"issuers": {"people": people}, "policies": policies}, {"people": jwks(jwk(rsa_key(), "1"))})


def token(*groups: str, scope: str = API_SCOPE, **claims: Any) -> str:
    """An access token of a member of these groups."""
    now = int(time.time())
    issuer = f"https://cognito-idp.ap-northeast-1.amazonaws.com/{POOL}"
    held = {"cognito:groups": list(groups)} if groups else {}
    base = {"iss": issuer, "exp": now + 60, "iat": now, "token_use": "access", "client_id": "x", "scope": scope}
    return sign(rsa_key(), base | held | claims, kid="1")
