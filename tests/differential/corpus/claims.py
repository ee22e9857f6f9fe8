"""Tokens that the pool signed and that say something else than they must."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.differential.corpus.minting import Cases, claims, header, signed
from tests.fakes.checks import COGNITO


def at_the_wrong_time(now: int) -> Cases:
    wrong: dict[str, dict[str, Any]] = {
        "exp missing": {"exp": None},
        "exp a string": {"exp": str(now + 3600)},
        "exp a string with an underscore": {"exp": "9_999_999_999"},
        "exp a string in other digits": {"exp": "٩٩٩٩٩٩٩٩٩٩"},
        "exp true": {"exp": True},
        "exp a list": {"exp": [now + 3600]},
        "exp an object": {"exp": {"$gt": 0}},
        "exp negative": {"exp": -1},
        "exp zero": {"exp": 0},
        "exp past the year 9999": {"exp": 10**15},
        "exp past every clock": {"exp": 10**30},
        "exp in the past": {"exp": now - 3600},
        "exp just past the leeway": {"exp": now - 60},
        "nbf in the future": {"nbf": now + 3600},
        "nbf a string": {"nbf": str(now - 60)},
        "nbf false": {"nbf": False},
        "nbf a list": {"nbf": [now - 60]},
        "iat in the future": {"iat": now + 3600},
        "iat a string": {"iat": str(now - 60)},
        "iat false": {"iat": False},
        "auth_time a string": {"auth_time": str(now - 60)},
    }
    for name, changes in wrong.items():
        yield f"time: {name}", signed(header(), claims(now, **changes))
    for name in ("exp", "nbf", "iat"):
        plain = json.dumps(claims(now, **{name: None})).encode()
        for value in (b"null", b"NaN", b"Infinity", b"1e400", b"9" * 5000):
            yield (
                f"time: {name} {value.decode():.8}",
                signed(header(), plain[:-1] + b',"%s":%s}' % (name.encode(), value)),
            )


def of_another_issuer(now: int) -> Cases:
    wrong: dict[str, Any] = {
        "missing": None,
        "with a slash": f"{COGNITO}/",
        "in upper case": COGNITO.upper(),
        "host in upper case": COGNITO.replace("cognito-idp", "COGNITO-IDP"),
        "with http": COGNITO.replace("https", "http"),
        "another pool": f"{COGNITO[:-1]}X",
        "a prefix": COGNITO[:-1],
        "a suffix": f"{COGNITO}x",
        "another region": COGNITO.replace("ap-northeast-1.", "us-east-1."),
        "another host that begins alike": COGNITO.replace(".com/", ".com.example.com/"),
        "a homoglyph": COGNITO.replace("o", "\u043e", 1),
        "a list": [COGNITO],
        "an object": {COGNITO: COGNITO},
        "a number": 1,
        "with a space": f" {COGNITO}",
        "with a fragment": f"{COGNITO}#",
        "with NUL": f"{COGNITO}\0",
    }
    for name, value in wrong.items():
        yield f"issuer: {name}", signed(header(), claims(now, iss=value))


def of_another_use(now: int) -> Cases:
    wrong: dict[str, Any] = {
        "missing": None,
        "id": "id",
        "refresh": "refresh",
        "empty": "",
        "in upper case": "ACCESS",
        "a list": ["access"],
        "with a space": "access ",
        "a number": 1,
        "true": True,
    }
    for name, value in wrong.items():
        yield f"use: {name}", signed(header(), claims(now, token_use=value))
    yield (
        "use: an ID token",
        signed(header(), claims(now, token_use="id", aud=claims(now)["client_id"], client_id=None)),
    )


def for_another_client(now: int) -> Cases:
    client: str = claims(now)["client_id"]
    wrong: dict[str, Any] = {
        "missing": None,
        "another": "another",
        "a prefix": client[:-1],
        "a suffix": f"{client}x",
        "in upper case": client.upper(),
        "a list": [client],
        "an object": {client: client},
        "a number": 5,
        "with a space": f"{client} ",
    }
    for name, value in wrong.items():
        yield f"client: {name}", signed(header(), claims(now, client_id=value))
    audiences: Mapping[str, Any] = {
        "another": "another",
        "a list of others": ["a", "b"],
        "a number": 5,
        "an object": {},
    }
    for name, value in audiences.items():
        yield f"audience: {name}", signed(header(), claims(now, aud=value))
    yield "audience: null", signed(header(), json.dumps(claims(now)).encode()[:-1] + b',"aud":null}')


def with_odd_claims(now: int) -> Cases:
    for name, value in {"a list": ["orders/read"], "an object": {"a": 1}, "a number": 1, "true": True}.items():
        yield f"claim: scope is {name}", signed(header(), claims(now, scope=value))
    subjects: Mapping[str, Any] = {
        "with CR LF": "a\r\nx-admin: 1",
        "with NUL": "a\0b",
        "of 100 KB": "a" * 100_000,
        "a number": 1,
        "a list": ["a"],
        "true": True,
    }
    for name, value in subjects.items():
        yield (
            f"claim: sub is {name}" if name[0] != "w" else f"claim: sub {name}",
            signed(header(), claims(now, sub=value)),
        )
    surrogate = json.dumps(claims(now, sub=None)).encode()[:-1] + b',"sub":"\\udc00"}'
    yield "claim: sub is a lone surrogate", signed(header(), surrogate)
    yield "claim: jti is a number", signed(header(), claims(now, jti=1))
