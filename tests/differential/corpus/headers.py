"""Tokens whose JOSE header asks for more, or for something else, than a plain signature."""

from __future__ import annotations

import json
from typing import Any

from tests.differential.corpus.minting import Cases, claims, header, signed
from tests.fakes.checks import COGNITO_KID


def with_extensions(now: int) -> Cases:
    critical: dict[str, Any] = {
        "b64": ["b64"],
        "exp": ["exp"],
        "an unknown name": ["x"],
        "nothing": [],
        "alg": ["alg"],
        "one name twice": ["x", "x"],
        "a string": "b64",
        "true": True,
    }
    for name, value in critical.items():
        yield f"extension: crit is {name}", signed(header(crit=value, x=1, b64=True, exp=now), claims(now))
    for value in (False, True):
        yield f"extension: b64 is {value}", signed(header(b64=value), claims(now))
        yield f"extension: b64 is {value} and critical", signed(header(b64=value, crit=["b64"]), claims(now))


def with_odd_key_ids(now: int) -> Cases:
    odd: dict[str, Any] = {
        "missing": None,
        "empty": "",
        "unknown": "another",
        "a number": 1,
        "a list": [COGNITO_KID],
        "an object": {"kid": COGNITO_KID},
        "true": True,
        "10 KB": "k" * 10_000,
        "a path": f"../../{COGNITO_KID}",
        "SQL": f"{COGNITO_KID}' OR '1'='1",
        "with a line break": f"{COGNITO_KID}\r\n",
        "with a zero-width space": f"{COGNITO_KID}\u200b",
        "with NUL": f"{COGNITO_KID}\0",
        "in upper case": COGNITO_KID.upper(),
        "with a space": f" {COGNITO_KID}",
        "__proto__": "__proto__",
        "constructor": "constructor",
    }
    for name, value in odd.items():
        yield f"kid: {name}", signed(header(kid=value), claims(now))
    yield "kid: null", signed(b'{"alg":"RS256","kid":null}', claims(now))
    yield "kid: a lone surrogate", signed(b'{"alg":"RS256","kid":"\\ud800"}', claims(now))


def of_another_type(now: int) -> Cases:
    types: list[Any] = ["logout+jwt", "dpop+jwt", "secevent+jwt", "kb+jwt", "JWE", "access", "id", "", 1, ["JWT"], True]
    for typ in types[:7] + types[8:]:
        yield f"type: typ is {typ}", signed(header(typ=typ), claims(now))
    yield "type: typ is null", signed(b'{"alg":"RS256","kid":"%s","typ":null}' % COGNITO_KID.encode(), claims(now))
    for name, value in (("cty", "JWT"), ("zip", "DEF"), ("enc", "A128GCM")):
        yield f"type: {name} is {value}", signed(header(**{name: value}), claims(now))
    plain = signed(header(), claims(now))
    first, payload, signature = plain.split(".")
    yield "type: five parts", f"{plain}.AA.AA"
    yield "type: four parts", f"{plain}.AA"
    yield "type: a part more, empty", f"{plain}."
    yield "type: a part less", f"{first}.{payload}"
    yield "type: no payload", f"{first}..{signature}"
    yield "type: payload is a list", signed(header(), [claims(now)])
    yield "type: payload is a string", signed(header(), "claims")
    yield "type: payload is null", signed(header(), None)
    yield "type: header is a list", signed([header()], claims(now))
    flattened = {"protected": first, "payload": payload, "signature": signature}
    yield "type: flattened JSON", json.dumps(flattened)
    yield "type: general JSON", json.dumps({"payload": payload, "signatures": [flattened]})
    yield "type: a token in a token", signed(header(), plain.encode())
