"""Tokens that the pool's key did not sign, or not the way the key is for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.differential.corpus.minting import OTHER_KEY, Cases, claims, encode, header, signed
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID
from tests.fakes.keys import jwk, jwks


def unsigned(now: int) -> Cases:
    payload = claims(now)
    genuine = signed(header(), payload).rpartition(".")[2]
    for alg in ("none", "None", "NONE", "nOnE"):
        text = signed(header(alg=alg), payload).rpartition(".")[0]
        for name, signature in (("no signature", ""), ("another token's signature", genuine), ("a zero", "AA")):
            yield f"unsigned: alg {alg}, {name}", f"{text}.{signature}"
    yield "unsigned: alg RS256, no signature", f"{signed(header(), payload).rpartition('.')[0]}."
    odd: dict[str, Any] = {"missing": None, "empty": "", "a number": 1, "a list": ["RS256"], "true": True}
    for name, value in odd.items():
        yield f"unsigned: alg is {name}", signed(header(alg=value), payload)
    yield "unsigned: alg in lower case", signed(header(alg="rs256"), payload)
    yield "unsigned: alg with a space", signed(header(alg="RS256 "), payload)


def signed_with_public_material(now: int) -> Cases:
    public = COGNITO_KEY.public_key()
    numbers = public.public_numbers()
    document = jwk(COGNITO_KEY, COGNITO_KID)
    secrets = {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM without its last line break": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        "PKCS#1 PEM": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "PKCS#1 DER": public.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        "JWK": json.dumps(document).encode(),
        "JWKS": jwks(document),
        "modulus": numbers.n.to_bytes(256, "big"),
        "encoded modulus": document["n"].encode(),
        "kid": COGNITO_KID.encode(),
        "empty key": b"",
    }
    for alg in ("HS256", "HS384", "HS512"):
        text = ".".join(encode(json.dumps(part).encode()) for part in (header(alg=alg), claims(now)))
        for name, secret in secrets.items():
            digest = hmac.new(secret, text.encode(), f"sha{alg[2:]}").digest()
            yield f"confused: {alg} with the public key as {name}", f"{text}.{encode(digest)}"


def signed_otherwise(now: int) -> Cases:
    for alg in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        yield f"other algorithm: {alg} with a key for RS256", signed(header(alg=alg), claims(now), alg=alg)
        yield f"other algorithm: {alg} said to be RS256", signed(header(), claims(now), alg=alg)


def with_broken_signatures(now: int) -> Cases:
    text, _, signature = signed(header(), claims(now)).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for position in range(0, len(raw), 16):
        flipped = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        yield f"signature: a bit flipped in byte {position}", f"{text}.{encode(flipped)}"
    modulus = COGNITO_KEY.public_key().public_numbers().n
    broken = {
        "cut short": raw[:-1],
        "with a zero behind": raw + b"\0",
        "with a zero before": b"\0" + raw,
        "all zeros": bytes(len(raw)),
        "all ones": b"\xff" * len(raw),
        "one": (1).to_bytes(len(raw), "big"),
        "the modulus": modulus.to_bytes(len(raw), "big"),
        "of another token": base64.urlsafe_b64decode(signed(header(), claims(now, sub="x")).rpartition(".")[2] + "=="),
        "of the digest instead of the text": jwt.get_algorithm_by_name("RS256").sign(
            hashlib.sha256(text.encode()).digest(), COGNITO_KEY
        ),
    }
    for name, value in broken.items():
        yield f"signature: {name}", f"{text}.{encode(value)}"
    yield "signature: of another key under this kid", signed(header(), claims(now), key=OTHER_KEY)
    header_text, payload_text = text.split(".")
    changed = encode(json.dumps(claims(now, sub="root")).encode())
    yield "signature: payload exchanged", f"{header_text}.{changed}.{signature}"
    yield "signature: header exchanged", f"{encode(json.dumps(header(typ='JWT')).encode())}.{payload_text}.{signature}"


def with_keys_of_their_own(now: int) -> Cases:
    own = jwk(OTHER_KEY, "own")
    for kid in (COGNITO_KID, "own", None):
        for name, value in {
            "jwk": own,
            "jku": "http://127.0.0.1:9/jwks.json",
            "x5u": "http://127.0.0.1:9/x.pem",
            "x5c": ["MIIB"],
        }.items():
            yield f"own key: {name}, kid {kid}", signed(header(kid=kid, **{name: value}), claims(now), key=OTHER_KEY)
