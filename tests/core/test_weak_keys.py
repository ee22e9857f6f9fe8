"""Keys that give no security although their form is valid: the points of small order, ROCA, and Wycheproof's keys.

Nothing here is a list from memory: the points come from the group law, the moduli from the definition of the weakness,
and the keys of `vectors/wycheproof_keys.json` from the project that it names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from authz.core import keyset
from authz.core.reasons import Reason
from authz.core.signature_algorithms import ALGORITHMS
from authz.core.weak_keys import is_roca, is_small_order
from tests.fakes.checks import NOW, FixedKeys, Rig
from tests.fakes.keys import base64url, ec_key, ed25519_key, jwk, jwks, rsa_key, sign_raw

Point = tuple[int, int]
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point (RFC 8032 section 5.1). `_points` checks it."""
ZERO: Point = (0, 1)
ISSUER = "https://idp.example.com/oauth2/default"
WYCHEPROOF = json.loads((Path(__file__).parent / "vectors" / "wycheproof_keys.json").read_text())
GOOD = jwk(ec_key(0), "good")


def _add(first: Point, second: Point) -> Point:
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def _times(number: int, point: Point) -> Point:
    total = ZERO
    for bit in f"{number:b}":
        total = _add(total, total)
        total = _add(total, point) if bit == "1" else total
    return total


def _at(y: int) -> Point | None:
    """The point with this y and an even x, None if there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    for x in (pow(square, (P + 3) // 8, P), pow(square, (P + 3) // 8, P) * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return (x if x % 2 == 0 else P - x), y % P
    return None


def _small_points() -> set[Point]:
    """All points whose order divides 8: random points times the order of the base point, until there are eight."""
    base = _at(4 * pow(5, -1, P))
    assert base is not None
    assert _times(ORDER, base) == ZERO
    found: set[Point] = set()
    for y in count(2):
        point = _at(y)
        if point is not None:
            torsion = _times(ORDER, point)
            found |= {_times(number, torsion) for number in range(8)}
        if len(found) == 8:
            return found
    raise AssertionError


def _encodings(points: set[Point]) -> Iterator[bytes]:
    """Every text of a point: y may be written with P added, and the sign bit is free if x is 0 (RFC 8032, 5.1.3)."""
    for x, y in sorted(points):
        for written in (y, y + P):
            for sign_bit in {x % 2} if x else {0, 1}:
                if written < 2**255:
                    yield (written | sign_bit << 255).to_bytes(32, "little")


SMALL = list(_encodings(_small_points()))


def _ed25519(raw: bytes) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "kid": "bad", "alg": "EdDSA", "x": base64url(raw)}


@pytest.mark.parametrize("raw", SMALL, ids=lambda raw: raw.hex()[:12] + raw.hex()[-2:])
def test_an_ed25519_point_of_small_order_is_dropped_by_name(raw: bytes) -> None:
    kept = keyset.parse(jwks(_ed25519(raw), GOOD), ALGORITHMS, distinct_kids=True)

    assert is_small_order(raw)
    assert set(kept.keys) == {"good"}
    assert kept.dropped[0].why == "it is an Ed25519 point of small order"


def test_such_a_key_would_verify_one_signature_for_every_message() -> None:
    identity = (1).to_bytes(32, "little")
    assert identity in SMALL

    for message in (b"one", b"another"):
        Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), message)


def test_other_ed25519_points_are_kept() -> None:
    raw = [ed25519_key(number).public_key().public_bytes_raw() for number in range(20)]
    mixed = [_add(point, other) for point in _small_points() - {ZERO} for other in [_times(8, _at(3) or ZERO)]]
    texts = [(y | x % 2 << 255).to_bytes(32, "little") for x, y in mixed]

    assert len(texts) == 7
    assert not any(map(is_small_order, (*raw, *texts)))


@pytest.mark.parametrize("exponent", [1, 12345, 2**40 + 7])
def test_a_modulus_of_the_form_of_roca_is_dropped_by_name(exponent: int) -> None:
    """The primes of the library are k * M + (65537**a mod M), so the modulus is a power of 65537 modulo M."""
    primes = [number for number in range(3, 168) if all(number % small for small in range(2, number))]
    product = math.prod(primes)
    modulus = pow(65537, exponent, product) + product * (2**2047 // product + 1)
    modulus += product * (modulus % 2 == 0)  # an odd number of 2048 bits
    published = {"kty": "RSA", "kid": "bad", "e": "AQAB", "n": base64url(modulus.to_bytes(256, "big"))}

    kept = keyset.parse(jwks(published, GOOD), ALGORITHMS, distinct_kids=True)

    assert kept.dropped[0].why == "its RSA modulus has the ROCA weakness (CVE-2017-15361)"


@pytest.mark.parametrize(
    "prime", [number for number in range(3, 168) if all(number % small for small in range(2, number))]
)
def test_a_modulus_is_roca_only_if_it_is_a_power_of_65537_modulo_the_prime(prime: int) -> None:
    """The residue modulo one prime is chosen freely, and modulo the other primes it is 1, which is a power."""
    powers = {pow(65537, exponent, prime) for exponent in range(prime)}
    others = math.prod(number for number in range(3, 168) if all(number % small for small in range(2, number))) // prime
    moduli = {residue: 1 + others * ((residue - 1) * pow(others, -1, prime) % prime) for residue in range(prime)}

    assert {residue for residue, modulus in moduli.items() if is_roca(modulus)} == powers


def test_real_rsa_moduli_do_not_have_it() -> None:
    assert not any(is_roca(rsa_key(number).public_key().public_numbers().n) for number in range(3))


@pytest.mark.parametrize("group", WYCHEPROOF["groups"], ids=lambda group: f"{group['comment']} {group['test']}")
@pytest.mark.parametrize("distinct", [True, False])
def test_only_wycheproofs_valid_keys_verify_a_token(group: dict[str, Any], *, distinct: bool) -> None:
    published, private = group["public"]["keys"], group["private"]["keys"][0]
    algorithms = {"RS256", "ES256", "ES512"}
    key_set = keyset.parse(jwks(*published, GOOD), algorithms, distinct_kids=distinct)
    issuer = {"profile": "oidc", "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/keys.json"}
    rig = Rig({"issuers": {"idp": {**issuer, "algorithms": sorted(algorithms)}}}, {"idp": FixedKeys(key_set)})

    reason = rig.reason(_signed(private))

    assert reason is (Reason.OK if group["result"] == "valid" else Reason.KEY_UNKNOWN)


def _signed(private: dict[str, Any]) -> str:
    """A token by Wycheproof's private key, or by another one if no library loads the key."""
    claims = {"iss": ISSUER, "aud": "orders", "exp": NOW + 600}
    alg = "RS256" if private.get("n") else "ES256"
    try:
        key: Any = jwt.PyJWK({**private, "use": "sig"}, algorithm=alg).key
    except (jwt.PyJWTError, ValueError):
        key = rsa_key(0) if alg == "RS256" else ec_key(0)
    header = json.dumps({"alg": alg, "kid": private["kid"]}).encode()
    return sign_raw(key, header, json.dumps(claims).encode(), alg)
