"""Shared parts of the harnesses: keys, one configuration, signed tokens and CheckRequest bytes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from authz.core import keyset, token
from authz.core.configuration import compile_configuration
from authz.core.key_lookup import KeyLookup
from authz.core.keyset import KeySet
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.served_rules import ServedRules

Result = TypeVar("Result")

POOL = "https://cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_AbCdEfGhI"
PARTNER = "https://idp.example.com/realms/partner"

CONFIGURATION: dict[str, Any] = {
    "issuers": {
        "cognito": {
            "profile": "cognito",
            "user_pool_id": "ap-northeast-1_AbCdEfGhI",
            "client_ids": ["client"],
            "algorithms": ["ES256"],
            "jwks_file": "/unused",
            "grants": [{"when": {"groups": {"any_of": ["readers"]}}, "scopes": ["orders/read"]}],
        },
        "partner": {
            "profile": "oidc",
            "issuer": PARTNER,
            "audiences": ["orders"],
            "algorithms": ["EdDSA"],
            "jwks_file": "/unused",
        },
    },
    "policies": {
        "read": {"scopes": {"any_of": ["orders/read", "orders/admin"]}},
        "write": {"scopes": {"all_of": ["orders/write"], "none_of": ["readonly"]}, "groups": "staff", "max_age": "15m"},
        "cognito-only": {"issuers": "cognito", "token_use": "any"},
        "open": {"optional": True, "claims": {"tier": ["gold", 1, True]}},
    },
}

# The same kid in both sets: a key that is looked up across issuers would verify the other one's tokens. The keys stay
# the same from run to run, so that an input that was found can be tried again.
KEY_ID = "k"
_POOL_KEY = derive_private_key(20_260_101, SECP256R1())
_PARTNER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNING_KEYS = {POOL: _POOL_KEY, PARTNER: _PARTNER_KEY}
ISSUED_AT, EXPIRES_AT = 1_700_000_000, 4_000_000_000
ALGORITHMS = {POOL: "ES256", PARTNER: "EdDSA"}
PUBLIC_JWKS = {
    POOL: ECAlgorithm.to_jwk(_POOL_KEY.public_key(), as_dict=True),
    PARTNER: OKPAlgorithm.to_jwk(_PARTNER_KEY.public_key(), as_dict=True),
}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The cost oracle: the most CPU that an input may take, a fixed part and a part for each byte."""

    free_seconds: float
    seconds_per_byte: float

    def holds(self, size: int, work: Callable[[], Result]) -> Result:
        """Run the work and return its result. Raise AssertionError if it takes too long three times in a row.

        One slow run can be a pause of the interpreter. Caches are emptied in between, so that they hide nothing.
        """
        most = self.free_seconds + self.seconds_per_byte * size
        used: list[float] = []
        while len(used) < TRIES:
            token.parse_header.cache_clear()
            began = time.thread_time()
            try:
                result = work()
            except Exception:
                if (took := time.thread_time() - began) <= most:
                    raise  # a refusal is an outcome, and must be as cheap
            else:
                if (took := time.thread_time() - began) <= most:
                    return result
            used.append(took)
        raise AssertionError(f"{min(used) * 1e3:.1f} ms of CPU for {size} bytes, {most * 1e3:.1f} ms is the ceiling")


TRIES = 3

TOKEN_CEILING = Ceiling(free_seconds=2e-3, seconds_per_byte=5e-8)
"""For a token, alone or in a request. A check takes 0.1 ms, 512 elements take 0.4 ms, the fuzzer's instrumentation
triples both. The 16 KiB token of 1,740 objects took 5.7 ms before elements were bounded."""

DOCUMENT_CEILING = Ceiling(free_seconds=5e-3, seconds_per_byte=1e-5)
"""For a JWKS or an inline policy: constructing a key of 150 bytes takes some 0.1 ms, reading YAML up to 2 us for each
byte, wording a problem about each element as much again, and the instrumentation doubles it. What grows with the square
of its size was found at 26 bytes."""


class _Still:
    """A key source with one fixed key set."""

    def __init__(self, key_set: KeySet) -> None:
        self.current: KeySet | None = key_set

    def ask(self) -> Future[None] | None:
        """No fetch is ever due."""
        return None


def rules() -> ServedRules:
    """The configuration above with its keys."""
    sources = {"cognito": _Still(_key_set(POOL)), "partner": _Still(_key_set(PARTNER))}
    return ServedRules.of(compile_configuration(CONFIGURATION), "realm", KeyLookup(sources))


def _key_set(issuer: str) -> KeySet:
    document = json.dumps({"keys": [{**PUBLIC_JWKS[issuer], "kid": KEY_ID}]}).encode()
    return keyset.parse(document, [ALGORITHMS[issuer]], distinct_kids=issuer == POOL)


def good_claims(issuer: str) -> dict[str, Any]:
    """Claims that the policy `read` lets through."""
    own = {"client_id": "client", "token_use": "access"} if issuer == POOL else {"aud": "orders"}
    return {"iss": issuer, "sub": "somebody", "scope": "orders/read", "iat": ISSUED_AT, "exp": EXPIRES_AT, **own}


def sign(header: Mapping[str, Any], payload: bytes, issuer: str) -> str:
    """A token over any header and any payload, with the issuer's real key."""
    signed = f"{_encode(json.dumps(header).encode())}.{_encode(payload)}"
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS[issuer])
    return f"{signed}.{_encode(algorithm.sign(signed.encode(), SIGNING_KEYS[issuer]))}"


def good_token(issuer: str) -> str:
    """A token that the policy `read` lets through."""
    header = {"alg": ALGORITHMS[issuer], "kid": KEY_ID, "typ": "JWT"}
    return sign(header, json.dumps(good_claims(issuer)).encode(), issuer)


def request(authorization: str, policy: str) -> bytes:
    """A CheckRequest as Envoy sends it."""
    message = pb.CheckRequest()
    http = message.attributes.request.http
    http.method, http.path, http.id = "GET", "/orders/1?secret=1", "123"
    http.headers["authorization"] = authorization
    http.headers["x-request-id"] = "0f0e0d0c-0b0a-0908-0706-050403020100"
    message.attributes.context_extensions["policy"] = policy
    return message.SerializeToString()


def with_header(message: bytes, name: bytes, value: bytes) -> bytes:
    """The same CheckRequest with one header more, whose value need not be UTF-8: parsers merge what follows."""
    return with_entry(message, _field(1, name) + _field(2, value))


def with_entry(message: bytes, entry: bytes) -> bytes:
    """The same CheckRequest with one entry more in the map of headers, of any bytes."""
    return message + _field(1, _field(4, _field(2, _field(3, entry))))


def _field(number: int, value: bytes) -> bytes:
    """A protobuf field with a length."""
    length, size = len(value), bytearray()
    while length > 127:  # noqa: PLR2004 - seven bits a byte
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + value


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
