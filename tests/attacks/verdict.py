"""What a bad token comes to: a refusal that Envoy can only read one way, with nothing in it that the client sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from authz.core.decision import Decision
from authz.core.reasons import Reason
from authz.server.pb import ext_authz_pb2 as pb
from tests.fakes.checks import (
    COGNITO_KEY,
    COGNITO_KID,
    PARTNER_KEY,
    PARTNER_KID,
    Rig,
    access_claims,
    authz_with,
    partner_claims,
)
from tests.fakes.keys import PrivateKey, base64url, sign_raw

LOOKED_AT = 20_000
"""The part of a token that is looked for in the answer: all of those that are not refused for their size."""

ECHO_CHARACTERS = 16
"""If an answer contains this many characters of a token, it is no accident."""

RIG = Rig(authz_with(cognito={"algorithms": ["RS256", "PS256", "RS384"]}, partner={"algorithms": ["ES256", "EdDSA"]}))


def refusal(token: str, policy: str = "authenticated", rig: Rig = RIG) -> Decision:
    """The decision on a token, after seeing that it is a refusal of the reason's row, and repeats nothing."""
    decision = rig.decide(token, policy)
    row = decision.reason.row
    assert row.outcome == "deny", decision
    response = pb.CheckResponse.FromString(rig.rules.renderer.render(decision))
    assert response.WhichOneof("http_response") == "denied_response"
    assert response.status.code != 0
    assert response.denied_response.status.code == row.http_status
    assert json.loads(response.denied_response.body)["reason"] == row.label
    answer, sent = str(response), token[:LOOKED_AT]
    assert not any(answer[at : at + ECHO_CHARACTERS] in sent for at in range(len(answer) - ECHO_CHARACTERS + 1))
    return decision


def refused(token: str, policy: str = "authenticated", rig: Rig = RIG) -> Reason:
    """Why the token is refused."""
    return refusal(token, policy, rig).reason


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: str = "") -> str:
    """A token with whatever signature text."""
    return f"{base64url(_json(header))}.{base64url(_json(claims))}.{signature}"


def of_pool(header: bytes | Mapping[str, Any] = b"", claims: bytes | Mapping[str, Any] = b"", **more: Any) -> str:
    """A token of the pool's own key. `header` and `claims` replace all of it as bytes, and parts of it as mappings."""
    usual = {"alg": "RS256", "kid": COGNITO_KID, "typ": "JWT"}
    return _signed(COGNITO_KEY, usual, access_claims(), header, claims, **more)


def of_partner(header: bytes | Mapping[str, Any] = b"", claims: bytes | Mapping[str, Any] = b"", **more: Any) -> str:
    """The same of the other provider's key."""
    usual = {"alg": "ES256", "kid": PARTNER_KID, "typ": "JWT"}
    return _signed(PARTNER_KEY, usual, partner_claims(), header, claims, **more)


def _signed(
    key: PrivateKey,
    usual: Mapping[str, Any],
    usual_claims: Mapping[str, Any],
    header: bytes | Mapping[str, Any],
    claims: bytes | Mapping[str, Any],
    **more: Any,
) -> str:
    return sign_raw(more.pop("key", key), _bytes(usual, header), _bytes(usual_claims, claims), **more)


def _bytes(usual: Mapping[str, Any], given: bytes | Mapping[str, Any]) -> bytes:
    """All of it as bytes, or the usual members with some replaced; one that is `...` is left out."""
    if given and isinstance(given, bytes):
        return given
    merged = {**usual, **(given if isinstance(given, Mapping) else {})}
    return _json({name: value for name, value in merged.items() if value is not ...})


def _json(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members).encode()
