"""Find the endpoints of an OpenID provider in its discovery document (OpenID Connect Discovery 1.0 section 4).

The document must name the configured issuer, and endpoints on the host of the issuer. Otherwise an attacker who can
plant a document could substitute the keys or receive tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from authz.core import strict_json
from authz.core.url import Url, authorization_server_url, discovery_url
from authz.sources.fetch_result import FetchFailed, FetchResult, fetchable

MAX_ELEMENTS = 4096
"""Brackets, colons and commas in a document. Keycloak's has some 600: a colon in every URL, and long lists."""

_SHOWN_CHARACTERS = 200
_NOT_THERE = range(400, 500)
"""Servers say in different ways that they do not know a path: 404 mostly, also 400, 401, 403 and 405."""


def document_url(issuer: str) -> Url:
    """Return the URL of an issuer's document (section 4.1). Raises FetchFailed."""
    return fetchable(discovery_url(issuer))


async def find(issuer: str, get: Callable[[Url], Awaitable[bytes]]) -> bytes:
    """The issuer's document. If there is no OpenID one, that of an OAuth authorization server (RFC 8414 section 3).

    Raises FetchFailed, without a status: a 401 here says nothing about a token.
    """
    try:
        return await get(document_url(issuer))
    except FetchFailed as failure:
        if failure.status not in _NOT_THERE:
            raise
        first = failure.detail
    try:
        return await get(fetchable(authorization_server_url(issuer)))
    except FetchFailed as failure:
        detail = f"{first} for the OpenID document; {failure.detail} for that of RFC 8414"
        raise FetchFailed(failure.result, detail) from failure


def jwks_url(document: bytes, issuer: str) -> Url:
    """Return the URL of the JWKS. Raises FetchFailed(MALFORMED | ISSUER_MISMATCH | URL_REFUSED)."""
    return _endpoint(document, issuer, "jwks_uri", "jwks_uri")


def userinfo_url(document: bytes, issuer: str) -> Url:
    """Return the URL of the userinfo endpoint, which receives tokens. Raises FetchFailed like jwks_url."""
    return _endpoint(document, issuer, "userinfo_endpoint", "userinfo_uri")


def described(document: bytes, issuer: str) -> dict[str, Any]:
    """Return the members of an issuer's document. Raises FetchFailed(MALFORMED | ISSUER_MISMATCH)."""
    try:
        value = strict_json.loads(document, MAX_ELEMENTS)
    except strict_json.NotStrictJson as error:
        raise FetchFailed(FetchResult.MALFORMED, f"the discovery document is {error}") from error
    if not isinstance(value, dict):
        raise FetchFailed(FetchResult.MALFORMED, "the discovery document is not an object")
    if value.get("issuer") != issuer:
        detail = f"the discovery document is for issuer {value.get('issuer')!r:.{_SHOWN_CHARACTERS}}"
        raise FetchFailed(FetchResult.ISSUER_MISMATCH, detail)
    return value


def _endpoint(document: bytes, issuer: str, member: str, field: str) -> Url:
    """Return the URL in a member of the document. `field` is the configuration field for it."""
    uri = described(document, issuer).get(member)
    if not isinstance(uri, str):
        raise FetchFailed(FetchResult.MALFORMED, f"the discovery document has no {member}")
    endpoint = fetchable(uri)
    if endpoint.origin != document_url(issuer).origin:
        detail = f"{member} is at another host, {endpoint.authority}: if that is intended, configure {field}"
        raise FetchFailed(FetchResult.ISSUER_MISMATCH, f"{detail:.{_SHOWN_CHARACTERS}}")
    return endpoint
