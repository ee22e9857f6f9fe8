"""Rows T1 to T6: tokens without a signature, signed by another key, or signed in another way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authz.core.reasons import Reason
from tests.attacks.verdict import of_partner, of_pool, refused, unsigned
from tests.fakes.checks import (
    COGNITO_KEY,
    COGNITO_KID,
    PARTNER_KEY,
    PARTNER_KID,
    Rig,
    access_claims,
    access_token,
    partner_claims,
    partner_token,
)
from tests.fakes.keys import base64url, ec_key, ed25519_key, jwk, jwks, rsa_key, sign

EVIL = rsa_key(66)
N_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NUMBERS = COGNITO_KEY.public_key().public_numbers()
SIZE = COGNITO_KEY.key_size // 8


def _ids(row: str, cases: list[Any]) -> list[str]:
    return [f"{row}-{number}" for number in range(len(cases))]


NONE = ["".join(letters) for letters in itertools.product("nN", "oO", "nN", "eE")]
NONE += ["none ", " none", "none\x00", "None\n", "null", "nil", "undefined", "false", "plain", "\u200bnone"]


@pytest.mark.parametrize("alg", NONE, ids=_ids("T1", NONE))
@pytest.mark.parametrize("signature", ["", "AA", "real"], ids=["without", "junk", "a real one"])
def test_a_token_that_claims_to_need_no_signature_is_refused(alg: str, signature: str) -> None:
    text = signature if signature != "real" else access_token().rpartition(".")[2]
    token = unsigned({"alg": alg, "kid": COGNITO_KID, "typ": "JWT"}, access_claims(), text)

    assert refused(token) is Reason.ALGORITHM_NOT_ALLOWED


def test_t1_a_signature_that_is_missing_or_empty_is_refused() -> None:
    signed, _, signature = access_token().rpartition(".")

    assert refused(f"{signed}.") is Reason.SIGNATURE_INVALID
    assert refused(signed) is Reason.TOKEN_MALFORMED
    assert refused(f"{signed}.{signature}.") is Reason.TOKEN_MALFORMED
    assert refused(f"{signed}..{signature}") is Reason.TOKEN_MALFORMED


def _public_texts() -> Iterator[bytes]:
    """Everything public about the pool's key that a careless library could take for a shared secret."""
    public = COGNITO_KEY.public_key()
    for encoding in (Encoding.PEM, Encoding.DER):
        for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
            text = public.public_bytes(encoding, form)
            yield from (text, text.rstrip(b"\n"), text.replace(b"\n", b"\r\n"), text + b"\x00", base64.b64encode(text))
    published = jwk(COGNITO_KEY, COGNITO_KID)
    for document in (published, {"keys": [published]}):
        yield from (json.dumps(document).encode(), json.dumps(document, separators=(",", ":")).encode())
        yield json.dumps(document, indent=2).encode()
    n = NUMBERS.n.to_bytes(SIZE, "big")
    yield from (jwks(published), n, published["n"].encode(), n.hex().encode(), str(NUMBERS.n).encode(), b"\x00" + n)
    yield from (b"AQAB", b"65537", COGNITO_KID.encode(), b"", b"\x00", b"secret", b"null", b"undefined", b"none")


SECRETS = list(dict.fromkeys(_public_texts()))


@pytest.mark.parametrize("bits", [256, 384, 512])
@pytest.mark.parametrize("secret", SECRETS, ids=_ids("T2", SECRETS))
def test_a_token_mac_ed_with_what_everybody_knows_is_refused(bits: int, secret: bytes) -> None:
    for alg, reason in ((f"HS{bits}", Reason.ALGORITHM_NOT_ALLOWED), ("RS256", Reason.SIGNATURE_INVALID)):
        signed = unsigned({"alg": alg, "kid": COGNITO_KID}, access_claims()).removesuffix(".")
        mac = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{bits}")).digest()
        assert refused(f"{signed}.{base64url(mac)}") is reason


@pytest.mark.parametrize("alg", ["RS384", "PS256"], ids=["T3-RS384", "T3-PS256"])
def test_an_allowed_algorithm_that_is_not_the_keys_own_is_refused(alg: str) -> None:
    """The issuer's list has both, the published key names RS256: its word binds."""
    assert refused(sign(COGNITO_KEY, access_claims(), kid=COGNITO_KID, alg=alg)) is Reason.ALGORITHM_NOT_ALLOWED
    assert refused(of_pool(alg=alg)) is Reason.SIGNATURE_INVALID


def test_t3_an_algorithm_of_another_kind_of_key_is_refused() -> None:
    by_ed25519 = sign(ed25519_key(0), partner_claims(), kid=PARTNER_KID)
    by_rsa = sign(rsa_key(7), partner_claims(), kid=PARTNER_KID)
    as_ec = sign(ec_key(7), access_claims(), kid=COGNITO_KID)

    assert refused(by_ed25519) is Reason.ALGORITHM_NOT_ALLOWED
    assert refused(by_rsa) is Reason.ALGORITHM_NOT_ALLOWED
    assert refused(as_ec) is Reason.ALGORITHM_NOT_ALLOWED


def _ecdsa() -> dict[str, bytes]:
    """Signatures that are none, for a P-256 key: RFC 7518 section 3.4 has 64 octets, both numbers within 1 and n-1."""
    der = PARTNER_KEY.sign(partner_token().rpartition(".")[0].encode(), ECDSA(SHA256()))
    r, s = decode_dss_signature(der)
    good = _raw(r, s)
    numbers = {"0": 0, "1": 1, "n": N_P256, "n-1": N_P256 - 1, "n+1": N_P256 + 1, "all ones": 2**256 - 1}
    pairs = {f"r={a} s={b}": _raw(x, y) for a, x in numbers.items() for b, y in numbers.items()}
    pairs |= {f"r={a}": _raw(x, s) for a, x in numbers.items()} | {f"s={a}": _raw(r, x) for a, x in numbers.items()}
    return pairs | {
        "DER": der,
        "empty": b"",
        "swapped": _raw(s, r),
        "r alone": good[:32],
        "one octet short": good[:-1],
        "one octet long": good + b"\x00",
        "one octet before": b"\x00" + good,
        "twice": good + good,
        "zeros of 63": bytes(63),
        "zeros of 65": bytes(65),
        "for P-384": bytes(16) + good[:32] + bytes(16) + good[32:],
        "-r": _raw(N_P256 - r, s),
    }


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ECDSA_FAULTS = _ecdsa()


@pytest.mark.parametrize("fault", ECDSA_FAULTS, ids=[f"T4 ES256 {name}" for name in ECDSA_FAULTS])
def test_an_ecdsa_signature_out_of_range_or_of_another_form_is_refused(fault: str) -> None:
    signed = partner_token().rpartition(".")[0]

    assert refused(f"{signed}.{base64url(ECDSA_FAULTS[fault])}") is Reason.SIGNATURE_INVALID


def _rsa() -> dict[str, bytes]:
    good = _signature(access_token())
    value = int.from_bytes(good, "big")
    numbers = {"0": 0, "1": 1, "n-1": NUMBERS.n - 1, "n": NUMBERS.n, "n-s": NUMBERS.n - value, "all ones": 2**2048 - 1}
    other_hash = COGNITO_KEY.sign(b"x", *_pkcs1("SHA384"))
    return {name: number.to_bytes(SIZE, "big") for name, number in numbers.items()} | {
        "one octet short": good[:-1],
        "one octet long": good + b"\x00",
        "one octet before": b"\x00" + good,
        "first octet gone": good[1:],
        "reversed": good[::-1],
        "empty": b"",
        "one octet": b"\x00",
        "the padding in the clear": b"\x00\x01"
        + b"\xff" * (SIZE - 54)
        + b"\x00"
        + hashlib.sha256(b"x").digest()
        + bytes(19),
        "another digest": other_hash,
        "of other bytes": COGNITO_KEY.sign(b"x", *_pkcs1("SHA256")),
        "16 KiB": bytes(8 * 1024),
    }


def _pkcs1(name: str) -> tuple[Any, Any]:
    return PKCS1v15(), getattr(hashes, name)()


def _signature(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")


RSA_FAULTS = _rsa()


@pytest.mark.parametrize("fault", RSA_FAULTS, ids=[f"T4 RS256 {name}" for name in RSA_FAULTS])
def test_an_rsa_signature_that_is_another_number_or_of_another_length_is_refused(fault: str) -> None:
    signed = access_token().rpartition(".")[0]

    assert refused(f"{signed}.{base64url(RSA_FAULTS[fault])}") is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("alg", ["PS256", "RS384", "RS512"], ids=lambda alg: f"T4 {alg} called RS256")
def test_a_signature_by_the_same_key_in_another_way_is_refused(alg: str) -> None:
    assert refused(of_pool(alg=alg)) is Reason.SIGNATURE_INVALID


CRITICAL: list[Any] = [
    [],
    ["exp"],
    ["b64"],
    ["exp", "exp"],
    ["kid"],
    "exp",
    None,
    {},
    [[]],
    ["http://x.example/e"],
    True,
]


@pytest.mark.parametrize("crit", CRITICAL, ids=_ids("T5", CRITICAL))
def test_a_critical_extension_is_refused_understood_or_not(crit: object) -> None:
    assert refused(of_pool({"crit": crit})) is Reason.TOKEN_MALFORMED
    assert refused(of_pool({"crit": crit, "exp": 1, "http://x.example/e": 1})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("b64", [True, False, None, "false"], ids=lambda b64: f"T5 b64 {b64}")
def test_an_unencoded_payload_is_refused_whether_or_not_it_is_critical(b64: object) -> None:
    assert refused(of_pool({"b64": b64})) is Reason.TOKEN_MALFORMED
    assert refused(of_pool({"b64": b64, "crit": ["b64"]})) is Reason.TOKEN_MALFORMED
    assert refused(of_partner({"b64": b64})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("kid", [COGNITO_KID, "evil"], ids=["T6 our kid", "T6 their kid"])
def test_a_key_that_the_token_brings_or_points_to_is_never_used_and_nobody_is_called(kid: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        own = jwk(EVIL, kid)
        certificate = base64.b64encode(EVIL.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
        elsewhere = Reason.SIGNATURE_INVALID if kid == COGNITO_KID else Reason.KEY_UNKNOWN
        headers: list[tuple[dict[str, Any], Reason]] = [
            ({}, elsewhere),
            ({"jwk": own}, Reason.TOKEN_MALFORMED),
            ({"x5c": [certificate]}, Reason.TOKEN_MALFORMED),
            ({"jku": url}, elsewhere),
            ({"x5u": url}, elsewhere),
            ({"jku": url, "x5u": url, "x5t": "AA", "x5t#S256": "AA"}, elsewhere),
        ]

        for header, reason in headers:
            assert refused(sign(EVIL, access_claims(), kid=kid, **header)) is reason

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_t6_a_good_token_whose_header_points_elsewhere_is_judged_by_the_issuers_keys() -> None:
    assert Rig().reason(sign(COGNITO_KEY, access_claims(), kid=COGNITO_KID, jku="https://evil.example")) is Reason.OK
