from __future__ import annotations

import json

import pytest

from authz.sources import discovery
from authz.sources.fetch_result import FetchFailed, FetchResult

ISSUER = "https://idp.example.com/realms/partner"


def _document(**members: object) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": "https://idp.example.com/keys"} | members).encode()


@pytest.mark.parametrize(
    ("issuer", "target"),
    [
        ("https://idp.example.com", "/.well-known/openid-configuration"),
        ("https://idp.example.com/", "/.well-known/openid-configuration"),
        (ISSUER, "/realms/partner/.well-known/openid-configuration"),
        (ISSUER + "/", "/realms/partner/.well-known/openid-configuration"),
    ],
)
def test_the_document_is_below_the_issuer_with_one_slash(issuer: str, target: str) -> None:
    assert discovery.document_url(issuer).target == target


def test_a_true_document_names_the_keys() -> None:
    assert discovery.jwks_url(_document(), ISSUER).target == "/keys"


@pytest.mark.parametrize(
    ("document", "result"),
    [
        (_document(issuer="https://evil.example.com"), FetchResult.ISSUER_MISMATCH),
        (_document(issuer=ISSUER + "/"), FetchResult.ISSUER_MISMATCH),
        (_document(issuer=None), FetchResult.ISSUER_MISMATCH),
        (_document(issuer=[ISSUER]), FetchResult.ISSUER_MISMATCH),
        (_document(jwks_uri="https://evil.example.com/keys"), FetchResult.ISSUER_MISMATCH),
        (_document(jwks_uri="https://idp.example.com.evil.example/keys"), FetchResult.ISSUER_MISMATCH),
        (_document(jwks_uri="https://idp.example.com:8443/keys"), FetchResult.ISSUER_MISMATCH),
        (_document(jwks_uri="http://127.0.0.1/keys"), FetchResult.ISSUER_MISMATCH),
        (_document(jwks_uri="http://idp.example.com/keys"), FetchResult.URL_REFUSED),
        (_document(jwks_uri="file:///etc/passwd"), FetchResult.URL_REFUSED),
        (_document(jwks_uri=7), FetchResult.MALFORMED),
        (b'{"issuer":"a","issuer":"b"}', FetchResult.MALFORMED),
        (b"[]", FetchResult.MALFORMED),
        (b"<html>", FetchResult.MALFORMED),
        (b"", FetchResult.MALFORMED),
    ],
)
def test_a_document_that_could_substitute_keys_is_refused(document: bytes, result: FetchResult) -> None:
    with pytest.raises(FetchFailed) as refused:
        discovery.jwks_url(document, ISSUER)

    assert refused.value.result is result


def test_a_strange_issuer_is_shown_escaped_and_short() -> None:
    with pytest.raises(FetchFailed) as refused:
        discovery.jwks_url(_document(issuer="x\n" * 5000), ISSUER)

    assert "\n" not in refused.value.detail
    assert len(refused.value.detail) < 300
