"""No input costs more CPU than its size allows: elements are counted before JSON is parsed, and the fuzzers measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from authz.core import keyset, revocations, strict_json, token, userinfo
from authz.core.bearer import MAX_TOKEN_CHARACTERS
from authz.core.keyset import MAX_KEYS, UnusableKeySet
from authz.core.problems import ConfigurationError
from authz.core.reasons import Denied
from authz.core.strict_json import MAX_ELEMENTS, NotStrictJson
from authz.core.userinfo import UnusableUserinfo
from authz.sources import discovery
from authz.sources.fetch_result import FetchFailed
from fuzz import rig
from fuzz import token as token_harness
from tests.fakes.keys import base64url, ec_key, jwk, jwks, rsa_key

HEADER = base64url(b'{"alg":"RS256","kid":"k"}')
ELEMENTS = (b'{"":0},', b"{},", b"[],", b"0,", b'"",', b"[[]],", b'{"a":[]},', b"1.5,", b'"\\u0041",', b"null,")
"""What one more element can be."""


def _filled(element: bytes, size: int, prefix: bytes = b'{"a":[', suffix: bytes = b"0]}") -> bytes:
    return prefix + element * ((size - len(prefix) - len(suffix)) // len(element)) + suffix


def _many_members(size: int) -> bytes:
    return json.dumps({f"{number:x}": 0 for number in range(size // 10)}).encode()


@pytest.fixture
def unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library's parser must not be reached, except for the JOSE header."""
    token.parse_header(HEADER)

    class Reached:
        def decode(self, _text: str) -> Any:
            raise AssertionError("parsed")

    monkeypatch.setattr(strict_json, "_DECODER", Reached())


@pytest.mark.usefixtures("unparsed")
@pytest.mark.parametrize("element", ELEMENTS)
def test_a_token_of_the_greatest_size_full_of_elements_is_refused_before_it_is_parsed(element: bytes) -> None:
    payload = base64url(_filled(element, (MAX_TOKEN_CHARACTERS - len(HEADER) - 8) * 3 // 4))

    with pytest.raises(Denied, match="too many elements"):
        token.parse(f"{HEADER}.{payload}.AAAA")


@pytest.mark.usefixtures("unparsed")
def test_members_count_as_elements() -> None:
    with pytest.raises(Denied, match="too many elements"):
        token.parse(f"{HEADER}.{base64url(_many_members(12_000))}.AAAA")


@pytest.mark.usefixtures("unparsed")
@pytest.mark.parametrize("element", [b'{"":0},', b"{},", b"[],", b"0,"])
def test_a_header_full_of_elements_is_refused_before_it_is_parsed(element: bytes) -> None:
    with pytest.raises(Denied, match="too many elements"):
        token.parse(f"{base64url(_filled(element, 3_000))}.e30.AAAA")


DOCUMENTS: dict[str, tuple[Callable[[bytes], object], type[Exception], int, bytes]] = {
    "jwks": (
        lambda data: keyset.parse(data, ["RS256"], distinct_kids=True),
        UnusableKeySet,
        keyset.MAX_DOCUMENT_BYTES,
        b'{"keys":[',
    ),
    "userinfo": (lambda data: userinfo.parse(data, "s"), UnusableUserinfo, userinfo.MAX_DOCUMENT_BYTES, b'{"a":['),
    "discovery": (lambda data: discovery.jwks_url(data, "i"), FetchFailed, keyset.MAX_DOCUMENT_BYTES, b'{"a":['),
    "revocations": (revocations.parse, ConfigurationError, revocations.MAX_DOCUMENT_BYTES, b'{"revoked":['),
}


@pytest.mark.usefixtures("unparsed")
@pytest.mark.parametrize("element", [b'{"":0},', b"{},", b"[],", b"0,"])
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_of_the_greatest_size_full_of_elements_is_refused_before_it_is_parsed(
    kind: str, element: bytes
) -> None:
    parse, refusal, size, prefix = DOCUMENTS[kind]

    with pytest.raises(refusal, match="too many elements"):
        parse(_filled(element, size, prefix))


def test_as_many_elements_as_allowed_are_parsed_and_one_more_is_not() -> None:
    allowed = b"[" + b"0," * (MAX_ELEMENTS - 1) + b"0]"

    assert len(strict_json.loads(allowed)) == MAX_ELEMENTS
    with pytest.raises(NotStrictJson, match="too many elements"):
        strict_json.loads(allowed[:-1] + b",0]")


def test_a_key_set_with_the_most_keys_is_read() -> None:
    """With every public member of RFC 7517 and a certificate chain, as Keycloak and Entra ID publish them."""
    extra = {"x5t": "x" * 27, "x5t#S256": "x" * 43, "x5c": ["MII" + "x" * 1500] * 2, "key_ops": ["verify"]}
    more = {"issuer": "https://login.example.com/{tenantid}/v2.0", "cloud_instance_name": "example.com"}
    keys = [jwk(ec_key(0) if number % 2 else rsa_key(0), f"k{number}") for number in range(MAX_KEYS)]

    read = keyset.parse(jwks(*({**key, **extra, **more} for key in keys)), ["RS256", "ES256"], distinct_kids=True)

    assert len(read.keys) == MAX_KEYS


def test_a_token_with_the_groups_that_fit_a_header_is_read() -> None:
    claims = {**rig.good_claims(rig.POOL), "cognito:groups": [f"team-{number:04}-readers" for number in range(400)]}

    assert token.parse(f"{HEADER}.{base64url(json.dumps(claims).encode())}.AAAA").unverified_claims == claims


# --- the cost oracle


def test_the_fuzzers_cost_oracle_finds_a_planted_quadratic(monkeypatch: pytest.MonkeyPatch) -> None:
    good = strict_json.loads

    def quadratic(data: bytes, *bound: int) -> Any:
        for end in range(0, len(data), 8):
            sum(data[:end])
        return good(data, *bound)

    monkeypatch.setattr(strict_json, "loads", quadratic)
    text = f"{HEADER}.{base64url(b'x' * 12_000)}.AAAA".encode()

    with pytest.raises(AssertionError, match="ms is the ceiling"):
        token_harness.one_input(text)
