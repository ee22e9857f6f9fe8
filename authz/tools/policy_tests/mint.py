"""Tokens of any configured issuer, signed with throw-away keys that only this process trusts.

A minted token passes every check unchanged, so a test states only the claims it is about.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurve
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey, MLDSA87PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import Algorithm, get_default_algorithms

from authz.core.issuers import TENANT, Issuer, tenant_of
from authz.core.keyset import KeySet, parse

KEY_ID = "authz-test"
LIFETIME_SECONDS = 3600
SUBJECT = "test-subject"
TENANT_ID = "test-tenant"

_PREFERRED = (
    *("ES256", "EdDSA", "Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "ES384", "ES512"),
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
)
"""Every algorithm that can be configured, those whose keys are made quickly first."""

_ED25519: Mapping[str, str] = {"Ed25519": "EdDSA"}
"""RFC 9864's name, and PyJWT's."""

_ML_DSA: Mapping[str, Any] = {
    "ML-DSA-44": MLDSA44PrivateKey,
    "ML-DSA-65": MLDSA65PrivateKey,
    "ML-DSA-87": MLDSA87PrivateKey,
}

_CURVES: Mapping[str, EllipticCurve] = {"ES256": SECP256R1(), "ES384": SECP384R1(), "ES512": SECP521R1()}


@dataclass(frozen=True, slots=True)
class Token:
    """The properties of a token. Absent properties have the issuer's usual values."""

    claims: Mapping[str, Any]
    """Replace or add; None leaves one out."""
    age_seconds: float = 0.0
    """How long ago it was issued, and the person signed in; negative for a token from the future."""
    lifetime_seconds: float = LIFETIME_SECONDS
    header: Mapping[str, Any] | None = None
    """Replace or add header parameters; None leaves one out."""
    is_forged: bool = False
    """Whether another key signs under the same key id."""
    userinfo: Mapping[str, Any] | None = None
    """The userinfo response for the token. None if the endpoint does not respond."""
    is_refused: bool = False
    """Whether that endpoint refuses it."""
    scopes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    client: str = ""
    """In the claims that the issuer reads: `scope_claims`, `groups_claim` and `client_claims`."""


def mint(issuer: Issuer, token: Token, now: float) -> str:
    """A signed token of this issuer."""
    name = next(each for each in _PREFERRED if each in issuer.algorithms)
    header = _kept({"alg": name, "kid": KEY_ID, "typ": "JWT", **(token.header or {})})
    claims = _kept({**_usual_claims(issuer, token, now - token.age_seconds), **token.claims})
    signed = f"{_segment(header)}.{_segment(claims)}"
    signature = _sign(name, signed.encode("ascii"), _private_key(name, is_forged=token.is_forged))
    return f"{signed}.{_base64url(signature)}"


class TestKeys:
    """An issuer's throw-away keys, and those of a document beside them. Implements authz.core.key_lookup.KeySource."""

    __test__ = False  # pytest would collect the class because of its name

    def __init__(self, issuer: Issuer, document: bytes | None = None) -> None:
        """Raises UnusableKeySet if the document has no usable key."""
        name = next(each for each in _PREFERRED if each in issuer.algorithms)
        distinct = issuer.keys.distinct_kids
        own = parse(json.dumps({"keys": [_public_jwk(name)]}).encode(), issuer.algorithms, distinct_kids=distinct)
        other = parse(document, issuer.algorithms, distinct_kids=distinct) if document is not None else KeySet({})
        self.current: KeySet | None = KeySet({**other.keys, **own.keys}, other.dropped)

    def ask(self) -> Future[None] | None:
        """Return None: the keys never change."""
        return None


def _usual_claims(issuer: Issuer, token: Token, issued_at: float) -> dict[str, Any]:
    """What every token of this kind carries, as the issuer's profile has it."""
    claims: dict[str, Any] = {
        **_tenant(issuer, token.claims),
        "sub": SUBJECT,
        "iat": int(issued_at),
        "exp": int(issued_at + token.lifetime_seconds),
    }
    for required in issuer.profile.required_claims:
        _put(claims, required.tokens, SUBJECT)
    claims |= _read_by(issuer, token)
    if not issuer.profile.audience_is_client_id:
        return claims | ({"aud": min(issuer.audiences)} if issuer.audiences else {})
    client = token.client or (min(issuer.client_ids) if issuer.client_ids else "test-client")
    said = token.claims.get(issuer.profile.use_claim) if issuer.profile.use_claim else ""
    meant_for = {"aud": client} if said == "id" else {"client_id": client}
    return claims | meant_for | {"token_use": "access", "auth_time": int(issued_at)}


def _tenant(issuer: Issuer, written: Mapping[str, Any]) -> dict[str, str]:
    """`iss`, and the `tid` that agrees with it if the issuer has tenants. Either can be written in the test."""
    if not issuer.templates:
        return {"iss": issuer.primary_identifier}
    iss, tid = written.get("iss"), written.get("tid")
    if not isinstance(tid, str) or not tid:
        iss = iss if isinstance(iss, str) else min(issuer.identifiers, default="")
        tid = next(filter(None, (tenant_of(template, iss) for template in issuer.templates)), TENANT_ID)
    return {"iss": issuer.templates[0].replace(TENANT, tid), "tid": tid}


def _read_by(issuer: Issuer, token: Token) -> dict[str, Any]:
    """The token's scopes, groups and client, in the claims that the issuer reads."""
    claims: dict[str, Any] = {}
    if token.scopes and issuer.scope_claims:
        claims[issuer.scope_claims[0]] = " ".join(token.scopes)
    if token.groups and issuer.groups_claim is not None:
        _put(claims, issuer.groups_claim.tokens, list(token.groups))
    if token.client and issuer.client_claims:
        claims[issuer.client_claims[0]] = token.client
    return claims


def _put(claims: dict[str, Any], names: tuple[str, ...], value: Any) -> None:
    for name in names[:-1]:
        claims = claims.setdefault(name, {})
    claims.setdefault(names[-1], value)


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _segment(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@cache
def _private_key(algorithm: str, *, is_forged: bool) -> Any:
    del is_forged  # another value is another key
    if algorithm in _CURVES:
        return generate_ec_key(_CURVES[algorithm])
    if algorithm in {"EdDSA", "Ed25519"}:
        return Ed25519PrivateKey.generate()
    if algorithm in _ML_DSA:
        return _ML_DSA[algorithm].generate()
    return generate_rsa_key(public_exponent=65537, key_size=2048)


def _sign(algorithm: str, message: bytes, key: Any) -> bytes:
    if algorithm in _ML_DSA:
        return bytes(key.sign(message))
    return get_default_algorithms()[_ED25519.get(algorithm, algorithm)].sign(message, key)


def _public_jwk(algorithm: str) -> dict[str, Any]:
    public_key = _private_key(algorithm, is_forged=False).public_key()
    if algorithm in _ML_DSA:
        jwk = {"kty": "AKP", "pub": _base64url(public_key.public_bytes_raw())}
    else:
        implementation: Algorithm = get_default_algorithms()[_ED25519.get(algorithm, algorithm)]
        to_jwk: Callable[..., Any] = implementation.to_jwk
        jwk = to_jwk(public_key, as_dict=True)
    kept = {name: value for name, value in jwk.items() if name != "key_ops"}
    return kept | {"kid": KEY_ID, "use": "sig", "alg": algorithm}
