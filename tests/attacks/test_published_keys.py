"""Row J11: keys that an issuer should not have published sign nothing, and the good ones beside them still do."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from authz.core import keyset
from authz.core.reasons import Reason
from authz.core.signature_algorithms import ALGORITHMS
from tests.attacks.verdict import refused
from tests.fakes.checks import AUTHZ, COGNITO_KEY, COGNITO_KID, FixedKeys, Rig, access_claims
from tests.fakes.keys import ec_key, jwk, jwks, rsa_key, sign, sign_raw

BAD = rsa_key(70)
WEAK = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the weak key of the row
SMALL_EXPONENT = generate_private_key(public_exponent=3, key_size=2048)

FAULTS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "duplicate kid": (BAD, [jwk(BAD, "bad"), jwk(rsa_key(71), "bad")]),
    "duplicate kid of an unfit key": (BAD, [jwk(BAD, "bad"), {"kty": "oct", "kid": "bad", "k": "AAAA"}]),
    "for encryption": (BAD, [jwk(BAD, "bad", use="enc")]),
    "for signing alone": (BAD, [jwk(BAD, "bad", key_ops=["sign"])]),
    "for encryption by key_ops": (BAD, [jwk(BAD, "bad", key_ops=["encrypt", "wrapKey"])]),
    "of 1024 bits": (WEAK, [jwk(WEAK, "bad")]),
    "with exponent 3": (SMALL_EXPONENT, [jwk(SMALL_EXPONENT, "bad")]),
    "with its private part": (BAD, [jwk(BAD, "bad", d="AQAB")]),
    "with a prime": (BAD, [jwk(BAD, "bad", p="AQAB")]),
    "for another algorithm": (BAD, [jwk(BAD, "bad", alg="RSA-OAEP-256")]),
    "for an algorithm that is not configured": (BAD, [jwk(BAD, "bad", alg="RS512")]),
    "of another type": (BAD, [jwk(ec_key(70), "bad")]),
    "without a kid": (BAD, [jwk(BAD, None)]),
    "with exponent 1": (BAD, [jwk(BAD, "bad", e="AQ")]),
    "of 16384 bits": (BAD, [jwk(BAD, "bad", n=base64.urlsafe_b64encode(b"\xff" * 2048).decode())]),
    "symmetric": (BAD, [{"kty": "oct", "kid": "bad", "k": "c2VjcmV0", "alg": "RS256"}]),
}


@pytest.mark.parametrize("fault", FAULTS, ids=[f"J11 {name}" for name in FAULTS])
def test_a_key_that_should_not_be_there_verifies_nothing(fault: str) -> None:
    private, published = FAULTS[fault]
    key_set = keyset.parse(jwks(*published, jwk(COGNITO_KEY, COGNITO_KID)), {"RS256"}, distinct_kids=True)
    rig = Rig(AUTHZ, {"cognito": FixedKeys(key_set), "partner": FixedKeys(None)})

    header, claims = b'{"alg":"RS256","kid":"bad"}', json.dumps(access_claims()).encode()

    assert refused(sign_raw(private, header, claims), rig=rig) is Reason.KEY_UNKNOWN
    assert rig.reason(sign(COGNITO_KEY, access_claims(), kid=COGNITO_KID)) is Reason.OK
    assert len(key_set.dropped) == len(published)
    assert all(one.why for one in key_set.dropped)


def test_j11_the_algorithms_that_can_be_configured_include_none_that_a_public_key_could_forge() -> None:
    assert {name[:2] for name in ALGORITHMS} == {"RS", "PS", "ES", "Ed", "ML"}
