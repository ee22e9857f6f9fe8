"""Taking a token apart: one canonical text, one meaning, nothing believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authz.core import token
from authz.core.bearer import MAX_TOKEN_CHARACTERS
from authz.core.keyset import MAX_KEY_ID_CHARACTERS
from authz.core.reasons import Denied, Reason
from authz.core.token import HEADERS_REMEMBERED, MAX_HEADER_CHARACTERS, JoseHeader, parse, parse_header
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, access_claims, access_token
from tests.fakes.keys import base64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _segment(value: object) -> str:
    return base64url(json.dumps(value).encode())


HEADER = _segment({"alg": "RS256", "kid": "k"})
PAYLOAD = _segment({"iss": "i", "exp": 1})


def _refusal(text: str) -> str:
    """Why the token is malformed, in the words of the log."""
    with pytest.raises(Denied) as denied:
        parse(text)
    assert denied.value.reason is Reason.TOKEN_MALFORMED
    return denied.value.detail


def _header(**parameters: Any) -> str:
    present = {"alg": "RS256", "kid": "k", **parameters}
    return _segment({name: value for name, value in present.items() if value is not None})


def test_a_good_token_comes_apart_into_what_was_signed_and_what_signs_it() -> None:
    text = access_token()

    taken = parse(text)

    assert taken.header == JoseHeader("RS256", COGNITO_KID, "jwt")
    assert taken.unverified_claims == access_claims()
    assert taken.unverified_issuer == access_claims()["iss"]
    assert taken.signed + b"." + base64url(taken.signature).encode() == text.encode()
    assert len(taken.signature) == COGNITO_KEY.key_size // 8


@pytest.mark.parametrize("text", [".", f"{HEADER}.{PAYLOAD}", f"{HEADER}.{PAYLOAD}.a.b", "." * 16_000])
def test_a_text_of_other_than_three_segments_is_refused(text: str) -> None:
    assert _refusal(text) == "not three segments"


@pytest.mark.parametrize("text", ["", "a", "0Ab1-_opaque"])
def test_a_text_without_a_period_is_said_to_be_opaque(text: str) -> None:
    assert _refusal(text).startswith("opaque, not a JWT: ask the provider for JWT access tokens")


def test_the_five_segments_of_an_encrypted_token_are_refused() -> None:
    assert _refusal(f"{_header(enc='A256GCM')}.a.b.c.d") == (
        "encrypted (JWE): ask the provider for signed access tokens"
    )


def test_a_text_outside_ascii_is_refused() -> None:
    assert _refusal(f"{HEADER}.{PAYLOAD}.é") == "not three segments"
    assert _refusal(f"{HEADER}.{PAYLOAD}.\ud800") == "not three segments"


@pytest.mark.parametrize("segments", [f".{PAYLOAD}.AA", f"{HEADER}..AA"])
def test_an_empty_header_or_payload_is_refused(segments: str) -> None:
    assert _refusal(segments) == "a segment is not canonical base64url"


def test_an_empty_signature_is_a_signature_that_no_key_made() -> None:
    assert parse(f"{HEADER}.{PAYLOAD}.").signature == b""


@pytest.mark.parametrize("length", [2, 3, 6, 7, 342])
def test_of_all_last_characters_only_those_without_spare_bits_are_canonical(length: int) -> None:
    """RFC 4648 section 3.5: 4 or 2 spare bits, so 4 or 16 of 64 endings are the text of some bytes."""
    accepted = set()
    for last in ALPHABET:
        text = "A" * (length - 1) + last
        try:
            decoded = parse(f"{HEADER}.{PAYLOAD}.{text}").signature
        except Denied:
            continue
        assert base64url(decoded) == text
        accepted.add(last)

    assert len(accepted) == {2: 4, 3: 16}[length % 4]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "=",
        lambda text: text + "==",
        lambda text: text[:3] + "+" + text[4:],
        lambda text: text[:3] + "/" + text[4:],
        lambda text: text[:3] + "\n" + text[3:],
        lambda text: text[:3] + "\r" + text[4:],
        lambda text: text[:3] + " " + text[4:],
        lambda text: text[:3] + "~" + text[4:],
        lambda text: text[:3] + "%2E" + text[3:],
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + "A" * (1 + (-len(text)) % 4),
    ],
    ids=[
        "=",
        "==",
        "+",
        "/",
        "LF inside",
        "CR",
        "blank",
        "~",
        "%2E",
        "LF at the end",
        "blank before",
        "length 1 mod 4",
    ],
)
def test_any_other_text_than_canonical_base64url_is_refused_in_every_segment(position: int, spoil: Any) -> None:
    segments = [HEADER, PAYLOAD, base64url(b"signature")]
    segments[position] = spoil(segments[position])

    assert _refusal(".".join(segments)) == "a segment is not canonical base64url"


def test_the_longest_header_is_read_and_a_longer_one_is_not_decoded() -> None:
    longest = _header(x="a" * 3035)
    assert len(longest) == MAX_HEADER_CHARACTERS
    assert parse(f"{longest}.{PAYLOAD}.AA").header.key_id == "k"

    assert _refusal(f"{'!' * (MAX_HEADER_CHARACTERS + 1)}.{PAYLOAD}.AA") == "a header longer than 4096 characters"


@pytest.mark.parametrize("value", ["[]", '"text"', "1", "null", "true", '[{"alg":"RS256","kid":"k"}]'])
def test_a_header_or_payload_that_is_json_but_no_object_is_refused(value: str) -> None:
    segment = base64url(value.encode())

    assert _refusal(f"{segment}.{PAYLOAD}.AA") == "a segment is not a JSON object"
    assert _refusal(f"{HEADER}.{segment}.AA") == "a segment is not a JSON object"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('{"alg":"RS256","alg":"none","kid":"k"}', "a segment is a duplicate member"),
        ("{", "a segment is not JSON"),
        ('{"exp":NaN}', "a segment is NaN or Infinity"),
        ("\ufeff{}", "a segment is not JSON"),
    ],
)
def test_a_header_or_payload_that_is_not_strict_json_is_refused_for_its_reason(value: str, why: str) -> None:
    segment = base64url(value.encode())

    assert _refusal(f"{segment}.{PAYLOAD}.AA") == why
    assert _refusal(f"{HEADER}.{segment}.AA") == why


@pytest.mark.parametrize("name", ["crit", "b64", "cty", "zip", "enc", "jwk", "x5c"])
@pytest.mark.parametrize("value", [None, "", [], ["exp"], {}, True, False])
def test_a_header_parameter_that_changes_what_the_token_means_is_refused_with_any_value(
    name: str, value: object
) -> None:
    header = _segment({"alg": "RS256", "kid": "k", name: value})

    assert _refusal(f"{header}.{PAYLOAD}.AA") == f"the header parameter {name} is not accepted"


@pytest.mark.parametrize("name", ["jku", "x5u", "x5t", "x5t#S256", "CRIT", "nonce", "iss"])
def test_a_header_parameter_that_means_nothing_to_us_is_passed_over(name: str) -> None:
    header = _segment({"alg": "RS256", "kid": "k", name: "https://keys.example.com"})

    assert parse(f"{header}.{PAYLOAD}.AA").header == JoseHeader("RS256", "k", "")


@pytest.mark.parametrize("alg", [None, "", 1, True, ["RS256"], {"RS256": 1}])
def test_a_header_without_one_algorithm_is_refused(alg: object) -> None:
    assert _refusal(f"{_header(alg=alg)}.{PAYLOAD}.AA") == "alg is missing or not a string"


@pytest.mark.parametrize("alg", ["RS256", "rs256", "none", "HS256", "x" * 2000])
def test_any_algorithm_in_words_is_kept_exactly_for_the_issuer_to_judge(alg: str) -> None:
    assert parse(f"{_header(alg=alg)}.{PAYLOAD}.AA").header.algorithm == alg


def test_a_header_without_a_kid_is_read() -> None:
    assert parse(f"{_header(kid=None)}.{PAYLOAD}.AA").header.key_id == ""


@pytest.mark.parametrize("kid", ["", 0, 1, 1.5, True, ["k"], {"k": 1}, "k" * (MAX_KEY_ID_CHARACTERS + 1)])
def test_a_header_that_does_not_name_one_key_is_refused(kid: object) -> None:
    assert _refusal(f"{_header(kid=kid)}.{PAYLOAD}.AA") == "kid is empty, not a string or too long"


@pytest.mark.parametrize(
    "kid", ["k" * MAX_KEY_ID_CHARACTERS, "../../dev/null", "' OR 1=1--", "a\r\nb", "\u200b", "\x00"]
)
def test_any_key_id_in_words_is_kept_exactly_for_it_is_only_compared(kid: str) -> None:
    assert parse(f"{_header(kid=kid)}.{PAYLOAD}.AA").header.key_id == kid


@pytest.mark.parametrize("typ", [0, 1, True, ["JWT"], {"JWT": 1}])
def test_a_type_that_is_not_text_is_refused(typ: object) -> None:
    assert _refusal(f"{_header(typ=typ)}.{PAYLOAD}.AA") == "typ is not a string"


def test_a_type_that_is_null_is_refused() -> None:
    header = base64url(b'{"alg":"RS256","kid":"k","typ":null}')

    assert _refusal(f"{header}.{PAYLOAD}.AA") == "typ is not a string"


@pytest.mark.parametrize(
    ("typ", "kept"), [(None, ""), ("", ""), ("JWT", "jwt"), ("at+JWT", "at+jwt"), (" jwt", " jwt")]
)
def test_a_type_is_compared_without_case_and_is_empty_where_it_is_missing(typ: str | None, kept: str) -> None:
    assert parse(f"{_header(typ=typ)}.{PAYLOAD}.AA").header.type == kept


def test_claims_of_a_wrong_type_are_refused_before_anybody_reads_them() -> None:
    assert (
        _refusal(f"{HEADER}.{_segment({'iss': 1, 'exp': 1})}.AA") == "the claim iss has a wrong type or value: a number"
    )
    assert _refusal(f"{HEADER}.{_segment({'iss': 'i'})}.AA") == "the claim exp is missing"


def test_a_token_of_the_greatest_size_is_taken_apart() -> None:
    rest = MAX_TOKEN_CHARACTERS - len(f"{HEADER}.{PAYLOAD}.")

    assert len(parse(f"{HEADER}.{PAYLOAD}.{'A' * (rest - rest % 4)}").signature) == (rest - rest % 4) * 3 // 4


def test_headers_that_repeat_are_remembered_within_a_bound_and_refusals_are_not() -> None:
    parse_header.cache_clear()
    for number in range(HEADERS_REMEMBERED + 10):
        parse_header(_header(kid=str(number)))
    assert parse_header.cache_info().currsize == HEADERS_REMEMBERED

    parse_header.cache_clear()
    for _ in range(2):
        with pytest.raises(Denied):
            parse_header(_header(zip="DEF"))
    assert parse_header.cache_info().currsize == 0


def test_no_refusal_repeats_what_the_token_says() -> None:
    mark = "MARKMARK"
    texts = [f"{mark}.{mark}.{mark}", f"{_header(alg=[mark])}.{PAYLOAD}.AA", f"{_header(crit=[mark])}.{PAYLOAD}.AA"]
    texts += [f"{HEADER}.{_segment({'iss': mark, 'exp': mark})}.AA", f"{base64url(mark.encode())}.{PAYLOAD}.AA"]

    assert not any(mark in _refusal(text) for text in texts)
    assert token.MAX_HEADER_CHARACTERS < MAX_TOKEN_CHARACTERS
