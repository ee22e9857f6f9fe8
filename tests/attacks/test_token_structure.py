"""Rows T7 to T13: tokens that are well signed, and are not exactly one JWT in its one canonical text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authz.core.reasons import Reason
from tests.attacks.verdict import of_partner, of_pool, refusal, refused
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, Rig, access_claims, access_token, partner_claims
from tests.fakes.keys import base64url, sign, sign_raw

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HEADER = {"alg": "RS256", "kid": COGNITO_KID, "typ": "JWT"}
NO_KEY_ID: list[Any] = [..., None, "", 0, 1, True, 1.5, [], [COGNITO_KID], {"kid": COGNITO_KID}, "k" * 257, "k" * 2000]
OTHER_KEY_IDS = [
    *(
        "unknown",
        "../../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "'; DROP TABLE keys--",
        "$(id)",
        "a\r\nset-cookie: b",
    ),
    *("\x00", COGNITO_KID + "\x00", "\u200b" + COGNITO_KID, COGNITO_KID + " ", COGNITO_KID.upper(), COGNITO_KID[:-1]),
    *(COGNITO_KID + "/", "https://evil.example/keys", "\u202e1-otingoc", "cogn\u0456to-1", "k" * 256, "partner-1", "*"),
]


@pytest.mark.parametrize("kid", NO_KEY_ID, ids=[f"T7-{number}" for number in range(len(NO_KEY_ID))])
def test_a_kid_that_is_no_name_is_refused_though_there_is_just_one_key(kid: object) -> None:
    assert refused(of_pool({"kid": kid})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("kid", OTHER_KEY_IDS, ids=[f"T7-other-{number}" for number in range(len(OTHER_KEY_IDS))])
def test_a_kid_that_names_no_key_of_this_issuer_is_unknown_and_stands_in_the_log_escaped(kid: str) -> None:
    decision = refusal(of_pool({"kid": kid}))

    assert decision.reason is Reason.KEY_UNKNOWN
    assert decision.unverified_key_id == kid
    assert decision.detail == f"kid is {kid!r:.80}"
    assert decision.detail.isprintable()


def test_t7_a_kid_that_is_a_lone_surrogate_is_no_text() -> None:
    assert refused(of_pool(b'{"alg":"RS256","kid":"\\ud800"}')) is Reason.TOKEN_MALFORMED
    assert refused(of_pool(b'{"alg":"RS256","kid":"cognito-1","x":"\\udc00\\ud800"}')) is Reason.TOKEN_MALFORMED


OTHER_TYPES = [
    *("logout+jwt", "dpop+jwt", "secevent+jwt", "rt+jwt", "JOSE", "JOSE+JSON", "JWE", "JWS", "JWT+x", "jwt; v=1"),
    *("token-introspection+jwt", "entity-statement+jwt", "oauth-authz-req+jwt", "jwk+jwt", "vc+sd-jwt", "kb+jwt"),
    *(
        "access",
        "id",
        "Bearer",
        "refresh",
        "at",
        "at+jwt ",
        " at+jwt",
        "application/",
        "text/jwt",
        "\u212aWT",
        "j\u200bwt",
    ),
]


@pytest.mark.parametrize("typ", OTHER_TYPES, ids=[f"T8-{number}" for number in range(len(OTHER_TYPES))])
def test_a_token_of_another_type_is_another_kind_of_token(typ: str) -> None:
    for policy in ("authenticated", "any-use", "identity"):
        assert refused(of_pool({"typ": typ}), policy) is Reason.TOKEN_USE_MISMATCH
        assert refused(of_partner({"typ": typ}), policy) is Reason.TOKEN_USE_MISMATCH


@pytest.mark.parametrize("typ", [1, None, True, [], ["JWT"], {}], ids=lambda typ: f"T8 {typ}")
def test_a_type_that_is_no_text_is_refused(typ: object) -> None:
    assert refused(of_pool({"typ": typ})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("name", ["cty", "zip", "enc"], ids=lambda name: f"T8 {name}")
@pytest.mark.parametrize("value", ["JWT", "DEF", "A256GCM", "", None, 1])
def test_nested_compressed_or_encrypted_content_is_refused(name: str, value: object) -> None:
    assert refused(of_pool({name: value})) is Reason.TOKEN_MALFORMED


def test_t8_a_token_inside_a_token_is_refused() -> None:
    assert refused(of_pool(claims=access_token().encode())) is Reason.TOKEN_MALFORMED
    assert refused(of_pool(claims=json.dumps(access_token()).encode())) is Reason.TOKEN_MALFORMED


def test_t8_other_serialisations_are_refused() -> None:
    header, payload, signature = access_token().split(".")
    flattened = {"protected": header, "payload": payload, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}

    assert refused(f"{header}.AA.AA.{payload}.{signature}") is Reason.TOKEN_MALFORMED
    for whole in (flattened, general):
        assert refused(json.dumps(whole)) is Reason.REQUEST_MALFORMED
        assert refused(base64url(json.dumps(whole).encode())) is Reason.TOKEN_MALFORMED


DUPLICATES = ["iss", "exp", "sub", "aud", "scope", "client_id", "token_use", "cognito:groups", "nbf", "unread"]


@pytest.mark.parametrize("name", DUPLICATES, ids=[f"T9 {name}" for name in DUPLICATES])
def test_a_claim_that_stands_twice_is_refused_however_it_is_spelt(name: str) -> None:
    claims = json.dumps({**access_claims(), name: access_claims().get(name, 1)})
    again = json.dumps(access_claims().get(name, 1))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)

    for second in (name, escaped, escaped[:6] + name[1:]):
        for text in (f'{claims[:-1]},"{second}":{again}}}', f'{{"{second}":{again},{claims[1:]}'):
            assert refused(of_pool(claims=text.encode())) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("name", ["alg", "kid", "typ", "x"], ids=lambda name: f"T9 header {name}")
def test_a_header_parameter_that_stands_twice_is_refused(name: str) -> None:
    header = json.dumps({**HEADER, "x": 1})

    for second in (name, f"\\u{ord(name[0]):04x}{name[1:]}"):
        assert refused(of_pool(f'{header[:-1]},"{second}":"RS256"}}'.encode())) is Reason.TOKEN_MALFORMED


def test_t9_a_member_that_stands_twice_deep_inside_is_refused() -> None:
    claims = json.dumps(access_claims())

    assert refused(of_pool(claims=f'{claims[:-1]},"x":[{{"a":{{"b":1,"b":1}}}}]}}'.encode())) is Reason.TOKEN_MALFORMED


ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=[f"T10 {encoding}" for encoding in ENCODINGS])
def test_json_in_another_encoding_than_utf_8_is_refused(encoding: str) -> None:
    assert refused(of_pool(json.dumps(HEADER).encode(encoding))) is Reason.TOKEN_MALFORMED
    assert refused(of_pool(claims=json.dumps(access_claims()).encode(encoding))) is Reason.TOKEN_MALFORMED


SPOILT = [
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"01",
        b"+1",
        b".1",
        b"1.",
        b"0x1",
        b"1_0",
        b"True",
        b"nul",
    ),
    *(b"undefined", b"'a'", b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\\ud800"', b'"\\udfff\\ud800"'),
    *(b'"a\tb"', b'"a\nb"', b'"\x00"', b'"\\x41"', b'"\\u12"', b'"\\u{41}"', b"[1,]", b"[,1]", b"{}}", b"{", b"1/**/"),
    *(
        b'{"a"}',
        b"{1:2}",
        b'{"a":1,}',
        b"\xef\xbb\xbf1",
        b"\xc2\xa01",
        b'"\xf4\x90\x80\x80"',
        b'"\xf8\x88\x80\x80\x80"',
    ),
]


@pytest.mark.parametrize("value", SPOILT, ids=[f"T10-{number}" for number in range(len(SPOILT))])
def test_json_that_only_a_lenient_parser_reads_is_refused_though_nobody_needs_the_claim(value: bytes) -> None:
    claims = json.dumps(access_claims()).encode()

    assert refused(of_pool(claims=claims[:-1] + b',"unread":' + value + b"}")) is Reason.TOKEN_MALFORMED


AFTER = [
    b"x",
    b"{}",
    b"\x00",
    b",",
    b"}",
    b"//",
    b"\x0c",
    b"\x0b",
    b"\x1a",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xff",
    b";",
]


@pytest.mark.parametrize("rest", AFTER, ids=[f"T10-after-{number}" for number in range(len(AFTER))])
def test_anything_before_or_after_the_one_json_text_is_refused(rest: bytes) -> None:
    claims, header = json.dumps(access_claims()).encode(), json.dumps(HEADER).encode()

    for token in (of_pool(claims=claims + rest), of_pool(claims=rest + claims), of_pool(header + rest)):
        assert refused(token) is Reason.TOKEN_MALFORMED


@pytest.mark.timeout(60)
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'], ids=lambda opening: f"T11 {opening}")
@pytest.mark.parametrize("levels", [33, 1_000, 20_000, 100_000])
def test_nesting_of_any_depth_is_refused_at_once(opening: str, levels: int) -> None:
    """Those that do not fit into 16 KiB are refused unread, the others before anything recurses."""
    claims = json.dumps(access_claims())[:-1] + ',"x":' + opening * levels

    for text in (claims, opening * levels, '["' + '\\"' * levels + "[" * 40):
        assert refused(of_pool(claims=text.encode())) is Reason.TOKEN_MALFORMED
        assert refused(of_pool(text.encode())) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("digits", [33, 4_300, 5_000, 9_000], ids=lambda digits: f"T11 {digits} digits")
@pytest.mark.parametrize("form", ["{}", "-{}", "{}.0", "1.{}", "1e{}", "1e-{}"])
def test_a_number_of_thousands_of_digits_is_refused_wherever_it_stands(digits: int, form: str) -> None:
    number = form.format("9" * digits)
    claims = json.dumps(access_claims())[:-1]

    for text in (f'{claims},"unread":{number}}}', f'{{"iss":"x","exp":{number}}}', number):
        assert refused(of_pool(claims=text.encode())) is Reason.TOKEN_MALFORMED


LARGE = {
    "60 KB of junk": "A" * 60_000,
    "60 KB of periods": "." * 60_000,
    "16 KiB of periods": "." * 16_384,
    "1 MB": "A" * 1_000_000,
    "three times 20 KB": ".".join(["A" * 20_000] * 3),
    "a header of 8 KB": f"{'A' * 8_000}.AAAA.AAAA",
}


@pytest.mark.parametrize("name", LARGE, ids=[f"T12 {name}" for name in LARGE])
def test_what_is_too_large_is_refused_before_it_is_decoded(name: str) -> None:
    assert refused(LARGE[name]) is Reason.TOKEN_MALFORMED


def test_t12_a_good_token_is_read_up_to_16_kib_and_not_above() -> None:
    padded = {
        size: sign(COGNITO_KEY, {**access_claims(), "pad": "x" * size}, kid=COGNITO_KID) for size in (11_000, 12_000)
    }

    assert len(padded[11_000]) < 16_384 < len(padded[12_000])
    assert Rig().reason(padded[11_000]) is Reason.OK
    assert refused(padded[12_000]) is Reason.TOKEN_MALFORMED


def test_t12_a_good_tokens_header_is_read_up_to_4_kib_and_not_above() -> None:
    assert Rig().reason(of_pool({"x": "y" * 2_900})) is Reason.OK
    assert refused(of_pool({"x": "y" * 3_100})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("segment", [0, 1, 2], ids=["T13 header", "T13 payload", "T13 signature"])
def test_no_other_ending_of_a_segment_means_the_same_token(segment: int) -> None:
    """Every last character with other spare bits decodes to the same bytes in a lenient decoder."""
    good = _with_spare_bits()
    parts = good.split(".")

    endings = set(ALPHABET) - {parts[segment][-1]}
    for last in endings:
        spoilt = [*parts[:segment], parts[segment][:-1] + last, *parts[segment + 1 :]]
        reason = refused(".".join(spoilt))
        assert reason in {
            Reason.TOKEN_MALFORMED,
            Reason.SIGNATURE_INVALID,
            Reason.KEY_UNKNOWN,
            Reason.ALGORITHM_NOT_ALLOWED,
        }


def _with_spare_bits() -> str:
    """A good token none of whose segments is a multiple of four characters long."""
    for blanks in range(9):
        header = json.dumps(HEADER).encode() + b" " * (blanks % 3)
        claims = json.dumps(access_claims()).encode() + b" " * (blanks // 3)
        token = sign_raw(COGNITO_KEY, header, claims)
        if all(len(part) % 4 for part in token.split(".")):
            assert Rig().reason(token) is Reason.OK
            return token
    raise AssertionError


INSERTED = ["=", "==", "\n", "\r\n", " ", "\t", "+", "/", "%", "%2E", "\x00", "é", ",", ";", "~", "_\n"]


@pytest.mark.parametrize("text", INSERTED, ids=[f"T13-{number}" for number in range(len(INSERTED))])
def test_no_character_can_be_added_anywhere_in_a_good_token(text: str) -> None:
    good = access_token()
    first, second = good.index("."), good.rindex(".")

    for at in (0, 1, first, first + 1, first + 5, second, second + 1, second + 7, len(good) - 1, len(good)):
        assert refused(good[:at] + text + good[at:]) in {Reason.TOKEN_MALFORMED, Reason.REQUEST_MALFORMED}


def test_t13_the_standard_alphabet_is_not_read() -> None:
    for number in range(40):
        token = sign(COGNITO_KEY, access_claims(jti=f"{number}>>>???"), kid=COGNITO_KID)
        other = token.replace("-", "+").replace("_", "/")
        if other != token:
            assert refused(other) is Reason.TOKEN_MALFORMED


def test_t13_padding_is_refused_in_every_segment() -> None:
    for token in (_with_spare_bits(), sign(COGNITO_KEY, partner_claims(), kid=COGNITO_KID)):
        parts = token.split(".")
        for position in range(3):
            padded = parts[position] + "=" * (-len(parts[position]) % 4 or 4)
            spoilt = ".".join([*parts[:position], padded, *parts[position + 1 :]])
            assert refused(spoilt) in {Reason.TOKEN_MALFORMED, Reason.REQUEST_MALFORMED}
