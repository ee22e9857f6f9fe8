"""Where an OpenID provider says its keys are (OpenID Connect Discovery 1.0 section 4), and whether to believe it.

The document must name the very issuer that was asked, and keys on the very host that was asked: whoever can plant a
document must not be able to substitute the keys.
"""

from __future__ import annotations

from authz.core import strict_json
from authz.sources import url
from authz.sources.fetch_result import FetchFailed, FetchResult

WELL_KNOWN = "/.well-known/openid-configuration"

_SHOWN_CHARACTERS = 200


def document_url(issuer: str) -> url.Url:
    """The URL of an issuer's document: a slash at the issuer's end goes (section 4.1). Raises FetchFailed."""
    return url.parse(issuer.removesuffix("/") + WELL_KNOWN)


def jwks_url(document: bytes, issuer: str) -> url.Url:
    """The URL of the JWKS. Raises FetchFailed(MALFORMED | ISSUER_MISMATCH | URL_REFUSED)."""
    try:
        value = strict_json.loads(document)
    except strict_json.NotStrictJson as error:
        raise FetchFailed(FetchResult.MALFORMED, f"the discovery document is {error}") from error
    if not isinstance(value, dict):
        raise FetchFailed(FetchResult.MALFORMED, "the discovery document is not an object")
    named, uri = value.get("issuer"), value.get("jwks_uri")
    if named != issuer:
        detail = f"the discovery document is for issuer {named!r:.{_SHOWN_CHARACTERS}}"
        raise FetchFailed(FetchResult.ISSUER_MISMATCH, detail)
    if not isinstance(uri, str):
        raise FetchFailed(FetchResult.MALFORMED, "the discovery document has no jwks_uri")
    keys = url.parse(uri)
    if keys.origin != document_url(issuer).origin:
        detail = f"jwks_uri is at another host, {keys.authority}: if that is right, configure jwks_uri instead"
        raise FetchFailed(FetchResult.ISSUER_MISMATCH, f"{detail:.{_SHOWN_CHARACTERS}}")
    return keys
