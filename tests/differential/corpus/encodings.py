"""Tokens that are not written as the standards write them: JSON, sizes, base64url."""

from __future__ import annotations

import base64
import json

import jwt

from tests.differential.corpus.minting import Cases, claims, encode, header, signed
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID


def with_duplicate_members(now: int) -> Cases:
    plain = json.dumps(claims(now)).encode()
    for name, value in claims(now).items():
        twice = json.dumps({name: value}).encode()[1:-1]
        yield f"duplicate: claim {name}, last", signed(header(), plain[:-1] + b"," + twice + b"}")
    yield "duplicate: sub, the other first", signed(header(), b'{"sub":"root",' + plain[1:])
    escaped = b'{"\\u0073ub":"root",' + plain[1:]
    yield "duplicate: sub, one escaped", signed(header(), escaped)
    nested = plain[:-1] + b',"a":{"b":1,"b":2}}'
    yield "duplicate: inside a claim", signed(header(), nested)
    for name in ("alg", "kid", "typ"):
        value = {"alg": "RS256", "kid": COGNITO_KID, "typ": "JWT"}[name]
        twice = json.dumps({name: value}).encode()[1:-1]
        yield (
            f"duplicate: header {name}",
            signed(json.dumps(header(typ="JWT")).encode()[:-1] + b"," + twice + b"}", claims(now)),
        )
    yield "duplicate: alg none first", signed(b'{"alg":"none",' + json.dumps(header()).encode()[1:], claims(now))


def in_odd_json(now: int) -> Cases:
    text = json.dumps(claims(now))
    plain = text.encode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"):
        yield f"JSON: payload in {encoding}", signed(header(), text.encode(encoding))
        yield f"JSON: header in {encoding}", signed(json.dumps(header()).encode(encoding), claims(now))
    odd = {
        "invalid UTF-8": plain[:-1] + b',"a":"\xff"}',
        "overlong UTF-8": plain[:-1] + b',"a":"\xc0\xaf"}',
        "a surrogate in UTF-8": plain[:-1] + b',"a":"\xed\xa0\x80"}',
        "a lone surrogate escaped": plain[:-1] + b',"a":"\\ud800"}',
        "NaN": plain[:-1] + b',"a":NaN}',
        "Infinity": plain[:-1] + b',"a":Infinity}',
        "-Infinity": plain[:-1] + b',"a":-Infinity}',
        "garbage behind": plain + b"x",
        "an object behind": plain + plain,
        "NUL behind": plain + b"\0",
        "garbage before": b"x" + plain,
        "a comma behind the last member": plain[:-1] + b",}",
        "a comment": b"/**/" + plain,
        "single quotes": plain.replace(b'"', b"'"),
        "a line break in a string": plain[:-1] + b',"a":"\n"}',
        "a number with leading zeros": plain[:-1] + b',"a":007}',
        "a number with a plus": plain[:-1] + b',"a":+7}',
        "a hexadecimal number": plain[:-1] + b',"a":0x7}',
        "a number of 5,000 digits": plain[:-1] + b',"a":' + b"7" * 5000 + b"}",
        "a number past every float": plain[:-1] + b',"a":1e400}',
        "1,000 nested lists": plain[:-1] + b',"a":' + b"[" * 1000 + b"]" * 1000 + b"}",
        "5,000 nested lists": plain[:-1] + b',"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "1,000 nested objects": plain[:-1] + b',"a":' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
        "lists without an end": b"[" * 5000,
        "nothing": b"",
    }
    for name, payload in odd.items():
        yield f"JSON: {name}", signed(header(), payload)


def too_large(now: int) -> Cases:
    yield "large: a payload of 16 KB", signed(header(), claims(now, filler="x" * 16_384))
    yield "large: a payload of 60 KB", signed(header(), claims(now, filler="x" * 60_000))
    yield "large: a header of 5 KB", signed(header(filler="x" * 5_000), claims(now))
    yield "large: 60 KB of dots", "." * 60_000
    yield "large: 60 KB of letters", "a" * 60_000
    yield "large: 1 MB of letters with two dots", "a" * 500_000 + "." + "a" * 500_000 + ".a"


def in_odd_base64(now: int) -> Cases:
    # A payload whose length leaves spare bits in its last character, so that a second text for it exists.
    payload = claims(now, filler="")
    while len(json.dumps(payload)) % 3 != 1:
        payload["filler"] += "x"
    parts = signed(header(), payload).split(".")
    for index, name in enumerate(("header", "payload", "signature")):
        odd = {
            "padding": parts[index] + "=" * (-len(parts[index]) % 4 or 1),
            "a space": parts[index][:8] + " " + parts[index][8:],
            "a line break": parts[index][:8] + "\n" + parts[index][8:],
            "a character of no alphabet": parts[index][:8] + "!" + parts[index][8:],
            "a letter outside ASCII": parts[index][:8] + "é" + parts[index][8:],
            "one character more": parts[index] + "A",
            "percent encoding": parts[index][:8] + "%41" + parts[index][9:],
        }
        for kind, part in odd.items():
            yield f"base64: {kind} in the {name}", ".".join([*parts[:index], part, *parts[index + 1 :]])
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The signature is not signed itself: setting its spare bits makes another text of the very same token.
    other = last[last.index(parts[2][-1]) | 1]
    yield "base64: spare bits set in the signature", ".".join([*parts[:2], parts[2][:-1] + other])
    text = f"{parts[0]}.{parts[1][:-1]}{last[last.index(parts[1][-1]) | 1]}"
    signature = jwt.get_algorithm_by_name("RS256").sign(text.encode(), COGNITO_KEY)
    yield "base64: spare bits set in the payload, and signed so", f"{text}.{encode(signature)}"
    odd_payload = claims(now, filler="\u00ff\u00fe>>>???")
    raw = json.dumps(odd_payload, ensure_ascii=False).encode()
    standard = f"{parts[0]}.{base64.b64encode(raw).rstrip(b'=').decode()}"
    signature = jwt.get_algorithm_by_name("RS256").sign(standard.encode(), COGNITO_KEY)
    assert "+" in standard or "/" in standard
    yield "base64: the standard alphabet, and signed so", f"{standard}.{encode(signature)}"
    plain = ".".join(parts)
    for kind, token in {
        "a space before": f" {plain}",
        "a line break behind": f"{plain}\n",
        "a tab behind": f"{plain}\t",
    }.items():
        yield f"base64: {kind}", token
