"""Which published keys may verify what; one unfit key is dropped by itself and named."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, SECP521R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from jwt.algorithms import ECAlgorithm, get_default_algorithms

from authz.core import keyset
from authz.core.keyset import (
    MAX_DOCUMENT_BYTES,
    MAX_KEY_ID_CHARACTERS,
    MAX_KEYS,
    MAX_KEYS_TRIED,
    DroppedKey,
    KeySet,
    parse,
)
from authz.core.signature_algorithms import ALGORITHMS, IMPLEMENTATIONS
from tests.fakes.keys import base64url, ec_key, ed25519_key, jwk, jwks, rsa_key

RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
GOOD = jwk(ec_key(0), "good")
VECTORS = json.loads((Path(__file__).parent / "vectors" / "jose.json").read_text())


def _integer(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _rsa(n: int, e: int = 65537) -> dict[str, Any]:
    return {"kty": "RSA", "kid": "bad", "n": _integer(n), "e": _integer(e)}


def _why(bad: object) -> str:
    """The reason why this key is dropped while a good key beside it stays."""
    kept = parse(json.dumps({"keys": [bad, GOOD]}).encode(), ALGORITHMS, distinct_kids=True)
    assert set(kept.keys) == {"good"}
    return kept.dropped[0].why


def _unusable(document: bytes, algorithms: Any = ALGORITHMS) -> str:
    with pytest.raises(keyset.UnusableKeySet) as unusable:
        parse(document, algorithms, distinct_kids=True)
    return str(unusable.value)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_published_example_verifies_and_with_any_spoilt_byte_it_does_not(vector: dict[str, Any]) -> None:
    """RFC 7515 appendix A and RFC 8037 appendix A.4: the key and the token as the standard prints them."""
    signed, _, signature = vector["token"].rpartition(".")
    key = parse(jwks({**vector["jwk"], "kid": "k"}), ALGORITHMS, distinct_kids=True).keys["k"]
    raw = bytearray(_bytes(signature))

    assert key.verifies(vector["alg"], signed.encode(), bytes(raw))
    for position in (0, len(raw) // 2, len(raw) - 1):
        raw[position] ^= 1
        assert not key.verifies(vector["alg"], signed.encode(), bytes(raw))
        raw[position] ^= 1
    assert not key.verifies(vector["alg"], signed.encode() + b"A", bytes(raw))
    assert not key.verifies(vector["alg"], signed.encode(), bytes(raw) + b"\x00")
    assert not key.verifies(vector["alg"], signed.encode(), b"\x00" + bytes(raw))
    assert not key.verifies(vector["alg"], signed.encode(), bytes(raw[:-1]))
    assert not key.verifies(vector["alg"], signed.encode(), b"")


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def test_the_algorithms_that_can_be_configured_are_asymmetric_and_implemented() -> None:
    assert not any(name.startswith("HS") or name.lower() == "none" for name in ALGORITHMS)
    assert set(ALGORITHMS) == set(IMPLEMENTATIONS)


def test_a_key_without_an_algorithm_of_its_own_serves_all_that_its_type_allows() -> None:
    document = jwks(jwk(rsa_key(0), "r", alg=None), jwk(ec_key(0), "e", alg=None), jwk(ed25519_key(0), "o", alg=None))

    keys = parse(document, ALGORITHMS, distinct_kids=True).keys

    assert {kid: set(key.algorithms) for kid, key in keys.items()} == {
        "r": RSA_ALGORITHMS,
        "e": {"ES256"},
        "o": {"EdDSA", "Ed25519"},
    }


@pytest.mark.parametrize("alg", sorted(RSA_ALGORITHMS))
def test_a_key_with_an_algorithm_of_its_own_serves_that_one_alone(alg: str) -> None:
    assert set(parse(jwks(jwk(rsa_key(0), "k", alg=alg)), ALGORITHMS, distinct_kids=True).keys["k"].algorithms) == {alg}


def test_a_key_serves_only_what_the_issuer_is_configured_for() -> None:
    key = parse(jwks(jwk(rsa_key(0), "k", alg=None)), ["RS256", "PS384", "ES256"], distinct_kids=True).keys["k"]

    assert set(key.algorithms) == {"RS256", "PS384"}


@pytest.mark.parametrize("alg", ["ES384", "ES512"])
def test_the_larger_curves_serve_their_own_algorithm(alg: str) -> None:
    private = generate_ec_key(SECP384R1() if alg == "ES384" else SECP521R1())
    published = {**json.loads(ECAlgorithm.to_jwk(private.public_key())), "kid": "k"}

    key = parse(jwks(published), ALGORITHMS, distinct_kids=True).keys["k"]
    signature = get_default_algorithms()[alg].sign(b"signed", private)

    assert set(key.algorithms) == {alg}
    assert key.verifies(alg, b"signed", signature)
    assert not key.verifies(alg, b"Signed", signature)


@pytest.mark.parametrize(
    ("jwk_of", "changes", "why"),
    [
        (rsa_key, {"kid": None}, "its kid is missing"),
        (rsa_key, {"kid": ""}, "its kid is empty, not a string or too long"),
        (rsa_key, {"kid": 1}, "its kid is empty, not a string or too long"),
        (rsa_key, {"kid": ["bad"]}, "its kid is empty, not a string or too long"),
        (rsa_key, {"kid": "k" * (MAX_KEY_ID_CHARACTERS + 1)}, "its kid is empty, not a string or too long"),
        (rsa_key, {"alg": "HS256"}, "no configured algorithm fits it"),
        (rsa_key, {"alg": "none"}, "no configured algorithm fits it"),
        (rsa_key, {"alg": "ES256"}, "no configured algorithm fits it"),
        (rsa_key, {"alg": "rs256"}, "no configured algorithm fits it"),
        (rsa_key, {"alg": "RSA-OAEP"}, "no configured algorithm fits it"),
        (rsa_key, {"alg": ["RS256"]}, "no configured algorithm fits it"),
        (rsa_key, {"alg": {"RS256": 1}}, "no configured algorithm fits it"),
        (rsa_key, {"kty": "oct"}, "no configured algorithm fits it"),
        (rsa_key, {"kty": "rsa"}, "no configured algorithm fits it"),
        (rsa_key, {"kty": ["RSA"]}, "no configured algorithm fits it"),
        (ec_key, {"crv": "P-384"}, "no configured algorithm fits it"),
        (ec_key, {"crv": "secp256k1", "alg": "ES256K"}, "no configured algorithm fits it"),
        (ec_key, {"crv": None}, "no configured algorithm fits it"),
        (ec_key, {"crv": ["P-256"]}, "no configured algorithm fits it"),
        (ed25519_key, {"crv": "X25519"}, "no configured algorithm fits it"),
        (ed25519_key, {"crv": "Ed448"}, "no configured algorithm fits it"),
        (rsa_key, {"use": "enc"}, "its use is not sig"),
        (rsa_key, {"use": ""}, "its use is not sig"),
        (rsa_key, {"use": ["sig"]}, "its use is not sig"),
        (rsa_key, {"key_ops": []}, "its key_ops do not include verify"),
        (rsa_key, {"key_ops": ["encrypt", "sign"]}, "its key_ops do not include verify"),
        (rsa_key, {"key_ops": "verify"}, "its key_ops do not include verify"),
        (rsa_key, {"key_ops": {"verify": 1}}, "its key_ops do not include verify"),
        *((rsa_key, {name: "AQAB"}, "its private part is published") for name in PRIVATE),
        (ec_key, {"d": "AQAB"}, "its private part is published"),
        (ed25519_key, {"d": ""}, "its private part is published"),
        (rsa_key, {"n": None}, "it is not a valid public key"),
        (rsa_key, {"e": None}, "it is not a valid public key"),
        (rsa_key, {"n": ""}, "it is not a valid public key"),
        (rsa_key, {"n": 5}, "it is not a valid public key"),
        (rsa_key, {"n": ["AQAB"]}, "it is not a valid public key"),
        (rsa_key, {"e": "Ag"}, "it is not a valid public key"),
        (ec_key, {"x": "AQAB"}, "it is not a valid public key"),
        (ec_key, {"x": base64url(b"\x01" * 32)}, "it is not a valid public key"),
        (ec_key, {"y": 1}, "it is not a valid public key"),
        (ed25519_key, {"x": "AQAB"}, "it is not a valid public key"),
        (ed25519_key, {"x": None}, "it is not a valid public key"),
    ],
)
def test_an_unfit_key_is_dropped_for_its_reason_and_the_others_stay(
    jwk_of: Any, changes: dict[str, Any], why: str
) -> None:
    assert _why(jwk(jwk_of(1), **{"kid": "bad", **changes})) == why


@pytest.mark.parametrize("null", ["use", "key_ops", "alg", "d"])
def test_a_member_that_is_null_is_there_and_unfit(null: str) -> None:
    assert _why({**jwk(rsa_key(1), "bad"), null: None}) != ""


@pytest.mark.parametrize("bad", [None, 1, "RSA", [], [GOOD], True])
def test_a_key_that_is_no_object_is_dropped(bad: object) -> None:
    assert _why(bad) == "it is not an object"


def test_an_rsa_modulus_is_from_2048_to_8192_bits() -> None:
    bounds = "its RSA modulus is not 2048 to 8192 bits"

    assert _why(_rsa(2**1024 - 1)) == bounds
    assert _why(_rsa(2**2047 - 1)) == bounds
    assert _why(_rsa(2**8193 - 1)) == bounds
    assert set(
        parse(
            jwks({**_rsa(2**2048 - 1), "kid": "small"}, {**_rsa(2**8192 - 1), "kid": "large"}),
            ALGORITHMS,
            distinct_kids=True,
        ).keys
    ) == {
        "small",
        "large",
    }


@pytest.mark.parametrize("bits", [16_384, 200_000, 2_000_000])
def test_a_monstrous_modulus_is_dropped_like_any_other(bits: int) -> None:
    assert _why(_rsa(2**bits - 1)) in {"its RSA modulus is not 2048 to 8192 bits", "it is not a valid public key"}


def test_an_rsa_exponent_is_neither_small_nor_costly() -> None:
    n = rsa_key(0).public_key().public_numbers().n
    bounds = "its RSA exponent is too small or too large"

    for exponent in (3, 17, 65535, 2**64 + 1, 2**65 - 1):
        assert _why(_rsa(n, exponent)) == bounds
    for exponent in (1, 2, 65536, n + 2):
        assert _why(_rsa(n, exponent)) in {bounds, "it is not a valid public key"}
    for exponent in (65537, 2**64 - 1):
        assert "bad" in parse(jwks(_rsa(n, exponent)), ALGORITHMS, distinct_kids=True).keys


def test_a_key_that_the_machine_cannot_use_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL in FIPS mode has no Ed25519: the other keys must stay."""

    def unsupported(*_arguments: object, **_more: object) -> None:
        raise UnsupportedAlgorithm("not on this machine")

    monkeypatch.setattr(keyset, "build_key", unsupported)

    assert _unusable(jwks(GOOD)) == "no usable key: it is not a valid public key"


def test_of_two_keys_with_one_kid_neither_is_used_whatever_their_order() -> None:
    twins = [jwk(rsa_key(0), "twin"), jwk(rsa_key(1), "twin")]

    for order in (twins, twins[::-1]):
        kept = parse(jwks(*order, GOOD), ALGORITHMS, distinct_kids=True)

        assert set(kept.keys) == {"good"}
        assert kept.dropped == (DroppedKey("twin", "its kid is used twice"),) * 2


@pytest.mark.parametrize("twin", [{"kty": "oct", "kid": "good", "k": "AAAA"}, {"kid": "good"}, {**GOOD, "use": "enc"}])
def test_a_kid_that_an_unfit_key_has_too_is_as_ambiguous(twin: dict[str, Any]) -> None:
    other = jwk(rsa_key(0), "other")

    assert set(parse(jwks(twin, GOOD, other), ALGORITHMS, distinct_kids=True).keys) == {"other"}
    assert set(parse(jwks(GOOD, twin, other), ALGORITHMS, distinct_kids=True).keys) == {"other"}


def _told_apart(*published: dict[str, Any]) -> KeySet:
    return parse(jwks(*published), ALGORITHMS, distinct_kids=False)


def test_two_keys_with_one_kid_are_both_tried_and_a_repeated_one_counts_once() -> None:
    one, two = jwk(rsa_key(0), "twin", alg="RS256"), jwk(rsa_key(1), "twin", alg="RS256")

    kept = _told_apart(one, two, one, GOOD)

    assert len(kept.keys["twin"].fitting("RS256")) == 2
    assert kept.keys["twin"].fitting("RS512") == ()
    assert kept.dropped == ()


def test_at_most_four_keys_of_one_kid_are_tried() -> None:
    many = [jwk(ec_key(number), "many") for number in range(6)]
    kept = _told_apart(jwk(rsa_key(0), "many"), *many)

    assert len(kept.keys["many"].fitting("ES256")) == MAX_KEYS_TRIED == 4
    assert len(kept.keys["many"].fitting("RS256")) == 1
    assert kept.dropped == (DroppedKey("many", "4 keys before it have its kid"),) * 2


def test_keys_with_one_kid_are_told_apart_by_use_type_and_algorithm() -> None:
    same = (jwk(rsa_key(0), "k", alg="RS256"), jwk(rsa_key(0), "k", alg="RS512"), jwk(ec_key(0), "k"))
    unfit = ({**jwk(rsa_key(1), "k", alg="RS512"), "use": "enc"}, {"kty": "oct", "kid": "k", "k": "AAAA"})
    key = _told_apart(*same, *unfit).keys["k"]

    assert [set(each.algorithms) for each in key.fitting("RS512")] == [{"RS512"}]
    assert [set(each.algorithms) for each in key.fitting("ES256")] == [{"ES256"}]


@pytest.mark.parametrize("kid", ["", "k1"])
def test_a_key_without_a_kid_is_found_if_no_other_fits(kid: str) -> None:
    nameless = jwk(rsa_key(0), None)

    found = _told_apart(nameless, jwk(ec_key(0), "e")).find(kid, "RS256")
    assert found is not None
    assert found.key_id == ""
    assert _told_apart(nameless, jwk(rsa_key(1), "r")).find(kid, "RS256") is None
    assert _told_apart(nameless, jwk(rsa_key(1), None)).find(kid, "RS256") is None
    assert _told_apart(nameless, nameless).find(kid, "RS256") is not None


def test_a_token_without_a_kid_has_the_only_key_that_fits() -> None:
    assert _told_apart(GOOD, jwk(rsa_key(0), "r")).find("", "ES256") is not None
    assert _told_apart(GOOD, jwk(rsa_key(0), "r")).find("k1", "ES256") is None
    assert _told_apart(GOOD, jwk(ec_key(5), "e")).find("", "ES256") is None
    assert _told_apart(GOOD, {**GOOD, "kid": "again"}).find("", "ES256") is not None


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("kid", ["bad", "other", None])
@pytest.mark.parametrize("private", [rsa_key, ec_key, ed25519_key])
def test_a_key_whose_private_part_is_published_is_dropped_under_every_kid(
    private: Any, kid: str | None, *, distinct: bool
) -> None:
    """Also from a copy of the key that is published without its private part, with any `use`, `alg` and `kid`."""
    leaked = jwk(private(9), kid, d="AQAB", use=None, alg="ECDH-ES", key_ops=["deriveKey"])

    kept = parse(jwks(jwk(private(9), "bad"), leaked, GOOD), ALGORITHMS, distinct_kids=distinct)

    assert set(kept.keys) == {"good"}
    assert kept.dropped[0] == DroppedKey("bad", "its private part is published")
    assert len(kept.dropped) == 2


def test_each_key_whose_private_part_is_published_is_dropped_whatever_is_beside_it() -> None:
    """Neither an invalid key with a private part nor a second such key hides the first."""
    broken = jwk(rsa_key(9), "broken", n="", d="AQAB")
    copies = [jwk(key, f"copy of {kid}", d="AQAB") for kid, key in (("r", rsa_key(8)), ("e", ec_key(8)))]

    kept = parse(
        jwks(jwk(rsa_key(8), "r"), jwk(ec_key(8), "e"), broken, *copies, broken, GOOD), ALGORITHMS, distinct_kids=False
    )

    assert set(kept.keys) == {"good"}
    assert {one.why for one in kept.dropped} == {"its private part is published"}


def test_a_dropped_key_is_named_by_the_beginning_of_its_kid() -> None:
    bad = {"kty": "oct", "kid": "k" * 100, "k": "AAAA"}

    kept = parse(jwks(bad, {"kid": 5}, GOOD), ALGORITHMS, distinct_kids=True)

    assert [one.key_id for one in kept.dropped] == ["k" * 64, ""]
    assert kept.keys["good"].key_id == "good"


def test_the_longest_kid_is_used() -> None:
    assert parse(jwks({**GOOD, "kid": "k" * MAX_KEY_ID_CHARACTERS}), ALGORITHMS, distinct_kids=True).keys


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"keys":[],"keys":[]}', "a duplicate member"),
        (b"[" * 4_000, "nested too deeply"),
        (b"[" * 100_000, "too many elements"),
        (b"[]", "no `keys` array"),
        (b"{}", "no `keys` array"),
        (b'"keys"', "no `keys` array"),
        (b'{"keys":null}', "no `keys` array"),
        (b'{"keys":{}}', "no `keys` array"),
        (b'{"Keys":[]}', "no `keys` array"),
        (b'{"keys":[]}', "no usable key: it is empty"),
        (b'{"keys":[1,{}]}', "no usable key: it is not an object; no configured algorithm fits it"),
        (b'{"keys":[1,2]}', "no usable key: it is not an object"),
    ],
)
def test_a_document_without_a_usable_key_is_unusable_for_its_reason(document: bytes, why: str) -> None:
    assert _unusable(document) == why


def test_a_document_is_read_up_to_its_bounds_and_not_above_them() -> None:
    keys = [{**GOOD, "kid": str(number)} for number in range(MAX_KEYS)]
    assert len(parse(jwks(*keys), ALGORITHMS, distinct_kids=True).keys) == MAX_KEYS
    assert _unusable(jwks(*keys, GOOD)) == "more than 100 keys"

    padded = jwks(GOOD).ljust(MAX_DOCUMENT_BYTES)
    assert parse(padded, ALGORITHMS, distinct_kids=True).keys
    assert _unusable(padded + b" ") == "larger than 524288 bytes"


def test_a_set_whose_keys_fit_no_configured_algorithm_is_unusable() -> None:
    assert _unusable(jwks(GOOD), {"RS256"}) == "no usable key: no configured algorithm fits it"


def test_a_key_that_may_verify_among_other_things_is_used() -> None:
    assert parse(
        jwks({**GOOD, "key_ops": ["sign", "verify"], "use": "sig", "x5c": ["MII"], "extra": {}}),
        ALGORITHMS,
        distinct_kids=True,
    ).keys
    assert parse(
        jwks({name: value for name, value in GOOD.items() if name != "use"}), ALGORITHMS, distinct_kids=True
    ).keys


def test_a_set_has_no_dropped_keys_where_all_are_fit() -> None:
    assert parse(jwks(GOOD), ALGORITHMS, distinct_kids=True).dropped == ()
