"""Parse a signed JWT (RFC 7515 section 3.1, RFC 7519 section 7.2) without trusting it.

Later steps rely on its structure and types. Features that RFC 8725 warns of are refused here: other serialisations,
encryption, compression, critical extensions, nested content.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from authz.core import strict_json
from authz.core.claims import require_types
from authz.core.keyset import MAX_KEY_ID_CHARACTERS
from authz.core.reasons import Denied, Reason
from authz.core.strict_json import MAX_ELEMENTS

MAX_HEADER_CHARACTERS = 4 * 1024
"""The longest encoded JOSE header. Real headers are under 200 characters. Long headers embed keys or certificates."""

CHARACTERS_PER_ELEMENT = 32
"""A payload longer than 16 KiB (`max_token_bytes`) can have one element per 32 characters: the ratio of the two default
limits. Groups as UUIDs have one per 52 characters."""

HEADERS_REMEMBERED = 256
"""Parsed JOSE headers in the cache. Real headers repeat, one per key and issuer. At 4 KiB each, the cache stays under
2 MiB even under a flood."""

_REFUSED_PARAMETERS = ("crit", "b64", "cty", "zip", "enc", "jwk", "x5c")
"""`crit` and `b64`: no extension is understood (RFC 7515 4.1.11, RFC 7797 7). `cty`: no nested JWT is accepted
(RFC 8725 3.11 asks for explicit typing). `zip`, `enc`: they belong to encryption (RFC 7516). `jwk`, `x5c`: a token
with an embedded key is a forgery or a proof of possession, never an access token (RFC 8725 3.10). `jku` and `x5u` are
ignored and never fetched, but not refused: Cloud Foundry's UAA puts `jku` into valid tokens."""

_SHAPES = {
    0: "opaque, not a JWT: ask the provider for JWT access tokens (often by naming an audience or a resource)",
    4: "encrypted (JWE): ask the provider for signed access tokens",
}
"""What a text with so many periods is, if it is a token at all (RFC 6749 section 1.4, RFC 7516 section 3.1)."""

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/...")
"""To the alphabet of base64. What base64 has and base64url has not, and padding, becomes a character of neither."""
_PADDING = {0: b"", 1: b"", 2: b"==", 3: b"="}
# The last character of an unpadded base64url text can have 2 or 4 spare bits. If they were not required to be zero,
# several texts would decode to the same bytes (RFC 4648 section 3.5), and one token would have several texts.
_CANONICAL_ENDS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


@dataclass(frozen=True, slots=True)
class JoseHeader:
    """The header parameters that authz reads (RFC 7515 section 4.1)."""

    algorithm: str
    key_id: str
    """Empty if absent. It is optional (RFC 7515 section 4.1.4)."""
    type: str
    """Lower case, because media types are case-insensitive. Empty if absent."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A JWS in compact serialisation, parsed and type-checked, but not verified."""

    header: JoseHeader
    unverified_issuer: str
    unverified_claims: Mapping[str, Any]
    signed: bytes
    """The JWS signing input: encoded header, a period, encoded payload."""
    signature: bytes


def parse(text: str) -> UnverifiedToken:
    """Parse a token. Its text must be a b64token (bearer.py). Raises Denied(TOKEN_MALFORMED)."""
    if text.count(".") != 2 or not text.isascii():  # noqa: PLR2004 - header, payload, signature
        raise Denied(Reason.TOKEN_MALFORMED, _SHAPES.get(text.count("."), "not three segments"))
    header_text, payload_text, signature_text = text.split(".")
    if len(header_text) > MAX_HEADER_CHARACTERS:
        raise Denied(Reason.TOKEN_MALFORMED, f"a header longer than {MAX_HEADER_CHARACTERS} characters")
    header = parse_header(header_text)
    # A longer token can have more elements, so that the cost for each byte stays bounded.
    claims = _json_object(payload_text, max(MAX_ELEMENTS, len(payload_text) // CHARACTERS_PER_ELEMENT))
    require_types(claims)
    return UnverifiedToken(
        header=header,
        unverified_issuer=claims["iss"],
        unverified_claims=claims,
        signed=text[: len(header_text) + 1 + len(payload_text)].encode("ascii"),
        signature=_decode(signature_text) if signature_text else b"",
    )


@lru_cache(maxsize=HEADERS_REMEMBERED)
def parse_header(text: str) -> JoseHeader:
    """Parse an encoded JOSE header. Raises Denied(TOKEN_MALFORMED). Only successful results are cached."""
    parameters = _json_object(text)
    for name in _REFUSED_PARAMETERS:
        if name in parameters:
            raise Denied(Reason.TOKEN_MALFORMED, f"the header parameter {name} is not accepted")
    algorithm, key_id, kind = parameters.get("alg"), parameters.get("kid", ""), parameters.get("typ", "")
    if not isinstance(algorithm, str) or not algorithm:
        raise Denied(Reason.TOKEN_MALFORMED, "alg is missing or not a string")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID_CHARACTERS or ("kid" in parameters and not key_id):
        raise Denied(Reason.TOKEN_MALFORMED, "kid is empty, not a string or too long")
    if not isinstance(kind, str):
        raise Denied(Reason.TOKEN_MALFORMED, "typ is not a string")
    return JoseHeader(algorithm, key_id, kind.lower())


def _json_object(segment: str, max_elements: int = MAX_ELEMENTS) -> dict[str, Any]:
    try:
        value = strict_json.loads(_decode(segment), max_elements)
    except strict_json.NotStrictJson as error:
        raise Denied(Reason.TOKEN_MALFORMED, f"a segment is {error}") from error
    if not isinstance(value, dict):
        raise Denied(Reason.TOKEN_MALFORMED, "a segment is not a JSON object")
    return value


def _decode(segment: str) -> bytes:
    """Decode canonical base64url without padding (RFC 7515 section 2). The segment must be ASCII."""
    data = segment.encode("ascii")
    spare = len(data) % 4
    ends = _CANONICAL_ENDS.get(spare)
    try:
        if data and (ends is None or segment[-1] in ends):
            return binascii.a2b_base64(data.translate(_TO_STANDARD) + _PADDING[spare], strict_mode=True)
    except binascii.Error:
        pass
    raise Denied(Reason.TOKEN_MALFORMED, "a segment is not canonical base64url")
