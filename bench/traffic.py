"""Test traffic: Cognito access tokens, and the CheckRequest that Envoy 1.40 sends for a request with one."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from envoy_data_plane.envoy.service.auth import v3 as auth
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from bench.pool import AUDIENCE, CLIENT, ISSUER, KEY_ID, PARTNER, PARTNER_KEY_ID

HOUR = 3600


def new_key() -> bytes:
    """An RSA-2048 key as PEM, so that other processes can sign with it too."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def _private(pem: bytes) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def jwks(pem: bytes) -> str:
    """The published key set."""
    public = RSAAlgorithm.to_jwk(_private(pem).public_key(), as_dict=True)
    return json.dumps({"keys": [public | {"kid": KEY_ID, "alg": "RS256", "use": "sig"}]})


def claims(number: int = 0, groups: int = 2, issuer: str = ISSUER, **changed: Any) -> dict[str, Any]:
    """The claims of an access token as the hosted UI gives it out; each number is another token."""
    now = int(time.time())
    seed = hashlib.sha256(str(number).encode()).hexdigest()
    user = f"{seed[:8]}-{seed[8:12]}-{seed[12:16]}-{seed[16:20]}-{seed[20:32]}"
    return {
        "sub": user,
        "cognito:groups": ["staff", *(f"group-{index}" for index in range(1, groups))],
        "iss": issuer,
        "version": 2,
        "client_id": CLIENT,
        "origin_jti": f"{seed[32:40]}-0000-4000-8000-{seed[40:52]}",
        "event_id": f"{seed[52:60]}-0000-4000-8000-{seed[8:20]}",
        "token_use": "access",
        "scope": "openid orders/read profile",
        "auth_time": now - 60,
        "exp": now + 12 * HOUR,
        "iat": now - 60,
        "jti": f"{seed[20:28]}-0000-4000-8000-{number:012d}",
        "username": user,
    } | changed


def sign(pem: bytes, what: dict[str, Any]) -> str:
    """A token of these claims."""
    return jwt.encode(what, _private(pem), algorithm="RS256", headers={"kid": KEY_ID})


def _sign_range(pem: bytes, numbers: range) -> list[str]:
    return [sign(pem, claims(number)) for number in numbers]


def many_tokens(pem: bytes, count: int) -> list[str]:
    """Different RS256 tokens. Signing takes half a millisecond each, so every core helps."""
    size = 256
    ranges = [range(start, min(start + size, count)) for start in range(0, count, size)]
    with ProcessPoolExecutor() as pool:
        return [token for part in pool.map(_sign_range, [pem] * len(ranges), ranges) for token in part]


def check_request(token: str, policy: str = "orders-read", path: str = "/orders/42?expand=lines") -> bytes:
    """What Envoy sends for `GET /orders/42`, with the `allowed_headers` of deploy/envoy.yaml and all other fields."""
    headers = {
        ":authority": "orders.example.com",
        ":method": "GET",
        ":path": path,
        ":scheme": "https",
        "authorization": f"Bearer {token}",
        "x-forwarded-proto": "https",
        "x-request-id": "4f3c2b1a-9d8e-4c7b-a6f5-0123456789ab",
    }
    request = auth.CheckRequest().from_dict(
        {
            "attributes": {
                "source": {"address": {"socketAddress": {"address": "198.51.100.7", "portValue": 53412}}},
                "destination": {"address": {"socketAddress": {"address": "10.0.0.12", "portValue": 8443}}},
                "request": {
                    "time": "2026-01-01T12:00:00.123456Z",
                    "http": {
                        "id": "12884901888123456789",
                        "method": "GET",
                        "headers": headers,
                        "path": path,
                        "host": "orders.example.com",
                        "scheme": "https",
                        "protocol": "HTTP/2",
                    },
                },
                "contextExtensions": {"policy": policy},
                "metadataContext": {},
                "routeMetadataContext": {},
            }
        }
    )
    return bytes(request)


def framed(message: bytes) -> bytes:
    """One gRPC message as framed in a stream: uncompressed, with its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Partner:
    """Another provider. ES256 is signed ten times as fast as RS256, so a million tokens take a minute."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        """The published key set."""
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [public | {"kid": PARTNER_KEY_ID, "alg": "ES256", "use": "sig"}]})

    def token(self, number: int) -> str:
        """The token of that number, with as many claims as a Cognito token has."""
        what = claims(number, issuer=PARTNER, aud=AUDIENCE)
        return jwt.encode(what, self._key, algorithm="ES256", headers={"kid": PARTNER_KEY_ID})


class Requests:
    """CheckRequests that differ in their token alone: encoded once, for encoding takes longer than checking."""

    def __init__(self, token: str, policy: str = "orders-read") -> None:
        """The token says how long the others are."""
        marker = "*" * len(token)
        self._length = len(token)
        before, _, after = check_request(marker, policy).partition(marker.encode())
        self._around = before, after

    def of(self, token: str) -> bytes:
        """The message for a token of that length."""
        assert len(token) == self._length
        return token.encode().join(self._around)


def damaged(token: str) -> str:
    """The same token with a signature that is not its own."""
    head, _, signature = token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[40] ^= 1
    return f"{head}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
