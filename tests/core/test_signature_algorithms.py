"""The newer algorithm names: Ed25519 (RFC 9864) and ML-DSA (RFC 9964)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey, MLDSA87PrivateKey

from authz.core import keyset
from authz.core.reasons import Reason
from authz.core.signature_algorithms import ALGORITHMS
from tests.fakes.checks import NOW, FixedKeys, Rig
from tests.fakes.keys import base64url, ed25519_key, jwk, jwks, sign_raw

ISSUER = "https://idp.example.com/oauth2/default"
CLAIMS = json.dumps({"iss": ISSUER, "aud": "orders", "exp": NOW + 600}).encode()
ML_DSA: dict[str, Any] = {
    "ML-DSA-44": MLDSA44PrivateKey.generate(),
    "ML-DSA-65": MLDSA65PrivateKey.generate(),
    "ML-DSA-87": MLDSA87PrivateKey.generate(),
}


def _rig(*published: dict[str, Any], algorithms: tuple[str, ...]) -> Rig:
    issuer = {"profile": "oidc", "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/k.json"}
    source = FixedKeys(keyset.parse(jwks(*published), algorithms, distinct_kids=False))
    return Rig({"issuers": {"idp": {**issuer, "algorithms": list(algorithms)}}}, {"idp": source})


def _akp(name: str, **changes: Any) -> dict[str, Any]:
    members = {"kty": "AKP", "kid": "k", "alg": name, "pub": base64url(ML_DSA[name].public_key().public_bytes_raw())}
    return {name: value for name, value in (members | changes).items() if value is not None}


def _by_ml_dsa(alg: str, context: bytes | None = None) -> str:
    header = base64url(json.dumps({"alg": alg, "kid": "k"}).encode())
    signed = f"{header}.{base64url(CLAIMS)}"
    return f"{signed}.{base64url(ML_DSA[alg].sign(signed.encode(), context))}"


@pytest.mark.parametrize("configured", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_an_ed25519_token_is_accepted_under_the_configured_name_alone(configured: str, alg: str) -> None:
    rig = _rig(jwk(ed25519_key(0), "k", alg=None), algorithms=(configured,))
    token = sign_raw(ed25519_key(0), json.dumps({"alg": alg, "kid": "k"}).encode(), CLAIMS)

    assert rig.reason(token) is (Reason.OK if alg == configured else Reason.ALGORITHM_NOT_ALLOWED)


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_a_key_may_name_either_algorithm_of_ed25519(alg: str) -> None:
    rig = _rig(jwk(ed25519_key(0), "k", alg=alg), algorithms=("EdDSA", "Ed25519"))
    token = sign_raw(ed25519_key(0), json.dumps({"alg": alg, "kid": "k"}).encode(), CLAIMS)

    assert rig.reason(token) is Reason.OK


@pytest.mark.parametrize("alg", sorted(ML_DSA))
def test_an_ml_dsa_token_is_verified(alg: str) -> None:
    rig = _rig(_akp(alg), algorithms=tuple(ML_DSA))
    token = _by_ml_dsa(alg)
    head, payload, signature = token.split(".")
    other = base64url(CLAIMS.replace(b"orders", b"others"))

    assert rig.reason(token) is Reason.OK
    assert rig.reason(f"{head}.{other}.{signature}") is Reason.SIGNATURE_INVALID
    assert rig.reason(f"{head}.{payload}.AAAA") is Reason.SIGNATURE_INVALID
    assert rig.reason(f"{head}.{payload}.") is Reason.SIGNATURE_INVALID
    assert rig.reason(_by_ml_dsa(alg, b"a context")) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"alg": None}, "no configured algorithm fits it"),
        ({"alg": "ML-DSA-65"}, "it is not a valid public key"),
        ({"alg": "RS256"}, "no configured algorithm fits it"),
        ({"pub": None}, "it is not a valid public key"),
        ({"pub": 5}, "it is not a valid public key"),
        ({"pub": ""}, "it is not a valid public key"),
        ({"pub": "AAAA"}, "it is not a valid public key"),
        ({"pub": "ä" * 1312}, "it is not a valid public key"),
        ({"pub": "!" + base64url(bytes(1312))}, "it is not a valid public key"),
        ({"pub": "!!!!" + base64url(bytes(1312))}, "it is not a valid public key"),
        ({"priv": base64url(bytes(32))}, "its private part is published"),
        ({"use": "enc"}, "its use is not sig"),
    ],
)
def test_an_unfit_ml_dsa_key_is_dropped_for_its_reason(changes: dict[str, Any], why: str) -> None:
    good = jwk(ed25519_key(0), "good")

    assert [
        one.why
        for one in keyset.parse(jwks(_akp("ML-DSA-44", **changes), good), ALGORITHMS, distinct_kids=True).dropped
    ] == [why]


@pytest.mark.parametrize("own", sorted(ML_DSA))
@pytest.mark.parametrize("alg", ["ML-DSA-44", "ML-DSA-65", "RS256", 5, None])
def test_an_ml_dsa_key_whose_private_part_is_in_a_second_copy_is_dropped(alg: object, own: str) -> None:
    """Also if the copy is no valid key, because its `alg` is missing or wrong."""
    copy = _akp(own, kid="other", alg=alg, priv=base64url(bytes(32)))

    kept = keyset.parse(jwks(_akp(own), copy, jwk(ed25519_key(0), "good")), ALGORITHMS, distinct_kids=True)

    assert set(kept.keys) == {"good"}
    assert kept.dropped[0] == keyset.DroppedKey("k", "its private part is published")
