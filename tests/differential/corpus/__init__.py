"""Access tokens of one user pool, good and bad, each with a name that begins with its family.

The bad ones are not examples of bugs in one library: they are the families that published attacks and the standards
name, written out systematically. All that can be signed is signed with the pool's real key, so that the signature is no
excuse.
"""

from __future__ import annotations

import json

from tests.differential.corpus import claims as claim
from tests.differential.corpus import encodings, headers, signatures
from tests.differential.corpus.minting import Cases, claims, header, signed

RULES = {
    "unsigned": "an algorithm from the issuer's list, and a signature (RFC 8725 section 3.2)",
    "confused": "no symmetric algorithm, ever (RFC 8725 section 3.1)",
    "other algorithm": "`alg` is that of the key (RFC 8725 section 3.1)",
    "signature": "the signature of these bytes with this key (RFC 7515 section 5.2)",
    "own key": "keys come from the configured issuer, never from the token (RFC 8725 section 3.10)",
    "extension": "no critical extension is understood, none is ignored (RFC 7515 section 4.1.11, RFC 7797 section 7)",
    "kid": "a text that names a published key exactly (RFC 7515 section 4.1.4)",
    "type": "a signed JWT in compact form that says nothing else (RFC 8725 sections 3.11 and 3.12)",
    "duplicate": "every member once (RFC 7515 section 4, RFC 7519 section 4)",
    "JSON": "UTF-8 JSON with numbers and nesting that every reader reads alike (RFC 7519 section 7.2, RFC 8259)",
    "large": "at most 16 KiB, with a header of at most 4 KiB",
    "base64": "the one canonical text of these bytes (RFC 7515 section 2, RFC 4648 section 3.5)",
    "time": "times are numbers within the calendar, `exp` is there (RFC 7519 section 4.1)",
    "issuer": "`iss` equals the configured name exactly (RFC 8725 section 3.8)",
    "use": "an access token where one is needed (RFC 8725 section 3.12)",
    "client": "`client_id` equals a configured client exactly",
    "audience": "`aud`, where it is present, names us and has its type (RFC 7519 section 4.1.3)",
    "claim": "every claim that is read has its type, and a value that can stand in a header",
}
"""What each family breaks, in the words of the rule."""

_FAMILIES = (
    signatures.unsigned,
    signatures.signed_with_public_material,
    signatures.signed_otherwise,
    signatures.with_broken_signatures,
    signatures.with_keys_of_their_own,
    headers.with_extensions,
    headers.with_odd_key_ids,
    headers.of_another_type,
    encodings.with_duplicate_members,
    encodings.in_odd_json,
    encodings.too_large,
    encodings.in_odd_base64,
    claim.at_the_wrong_time,
    claim.of_another_issuer,
    claim.of_another_use,
    claim.for_another_client,
    claim.with_odd_claims,
)


def good_tokens(now: int) -> dict[str, str]:
    """Tokens that everybody should accept, however strict."""
    return dict(_good(now))


def bad_tokens(now: int) -> dict[str, str]:
    """Tokens that no library should accept."""
    cases = [case for family in _FAMILIES for case in family(now)]
    assert len(dict(cases)) == len(cases), "two cases have one name"
    assert {name.partition(":")[0] for name, _token in cases} == RULES.keys()
    return dict(cases)


def _good(now: int) -> Cases:
    plain = claims(now)
    yield "plain", signed(header(), plain)
    for typ in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
        yield f"typ {typ}", signed(header(typ=typ), plain)
    yield "an unknown header parameter", signed(header(x5t="dGh1bWI"), plain)
    yield "several scopes", signed(header(), claims(now, scope="openid email orders/read"))
    yield "no scope", signed(header(), claims(now, scope=None))
    yield "unknown claims", signed(header(), plain | {"a": [1, {"b": None}], "c": 1.5, "d": False})
    yield "claims outside ASCII", signed(header(), plain | {"name": "山田 太郎", "mark": "\U0001f600"})
    yield "times with fractions", signed(header(), claims(now, exp=now + 3600.5, iat=now - 60.5))
    yield "nbf in the past", signed(header(), claims(now, nbf=now - 60))
    yield "white space around the JSON", signed(header(), b" " + json.dumps(plain).encode() + b"\n")
