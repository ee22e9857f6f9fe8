"""Real keys, key sets and tokens. Keys are made once per session and numbered, for making one takes long."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> RSAPrivateKey:
    """The RSA key of that number; another number is another key."""
    del number
    return generate_rsa_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(number: int = 0) -> EllipticCurvePrivateKey:
    """The P-256 key of that number."""
    del number
    return generate_ec_key(SECP256R1())


@cache
def ed25519_key(number: int = 0) -> Ed25519PrivateKey:
    """The Ed25519 key of that number."""
    del number
    return Ed25519PrivateKey.generate()


def algorithm(key: PrivateKey) -> str:
    """The usual `alg` of a key: RS256, ES256 or EdDSA."""
    if isinstance(key, RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, EllipticCurvePrivateKey) else "EdDSA"


def jwk(key: PrivateKey, kid: str | None, **extra: Any) -> dict[str, Any]:
    """The public JWK. `extra` members replace or add; a member that is None is left out."""
    members = {"kid": kid, "use": "sig", "alg": algorithm(key), **_public_members(key), **extra}
    return {name: value for name, value in members.items() if value is not None}


def jwks(*keys: Mapping[str, Any]) -> bytes:
    """The document that publishes these JWKs."""
    return json.dumps({"keys": list(keys)}).encode()


def sign(
    key: PrivateKey,
    claims: Mapping[str, Any],
    *,
    kid: str | None,
    alg: str | None = None,
    typ: str | None = "JWT",
    **headers: Any,
) -> str:
    """A signed token. `kid` and `typ` are left out if None; `alg` is the key's usual one if None."""
    header = {"typ": typ, **headers} | ({} if kid is None else {"kid": kid})
    return jwt.encode(dict(claims), key, algorithm=alg or algorithm(key), headers=header)


def sign_raw(key: PrivateKey, header: bytes, payload: bytes, alg: str | None = None) -> str:
    """A token of these very bytes, JSON or not, with a good signature."""
    signed = f"{base64url(header)}.{base64url(payload)}"
    implementation = get_default_algorithms()[alg or algorithm(key)]
    return f"{signed}.{base64url(implementation.sign(signed.encode(), key))}"


def base64url(data: bytes) -> str:
    """Base64url without padding, as a segment of a token has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _public_members(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, RSAPrivateKey):
        rsa = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _base64url_integer(rsa.n), "e": _base64url_integer(rsa.e)}
    if isinstance(key, EllipticCurvePrivateKey):
        ec = key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _base64url_integer(ec.x, 32), "y": _base64url_integer(ec.y, 32)}
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }


def _base64url_integer(value: int, length: int = 0) -> str:
    return base64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))
