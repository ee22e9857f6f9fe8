"""Find the bearer token in exactly one Authorization header (RFC 6750 section 2.1, RFC 9110 section 11).

Tokens in the query, the body or a cookie are not read at all (RFC 6750 section 2.3 and 5.3).
"""

from __future__ import annotations

import re

from authz.core.reasons import Denied, Reason

MAX_TOKEN_CHARACTERS = 16 * 1024
"""The longest accepted token, unless `max_token_bytes` says otherwise. Real tokens have 1 to 3 KiB."""

MAX_TOKEN_LIMIT = 60 * 1024
"""The upper bound of `max_token_bytes`: Envoy's default limit for all headers of a request together."""

_SCHEME = "bearer "
_OTHER_BEARER = re.compile(r"(?:^|,)[ \t]*bearer(?![!#$%&'*+.^_`|~0-9a-z-])", re.IGNORECASE)
is_b64token = re.compile(r"[A-Za-z0-9._~+/-]+=*").fullmatch
"""Whether the text is one b64token (RFC 6750 section 2.1)."""


def find(values: tuple[str | bytes, ...]) -> str | None:
    """Return the credential after `Bearer `, or None if there is no header or it has another scheme.

    The scheme is case-insensitive. The credential is not checked here: see `require_b64token`.
    Raises Denied(REQUEST_MALFORMED) if there are two credentials, invalid UTF-8, or a Bearer without a credential.
    """
    if not values:
        return None
    value = values[0]
    if len(values) > 1:
        raise Denied(Reason.REQUEST_MALFORMED, "two Authorization headers")
    if isinstance(value, bytes):
        raise Denied(Reason.REQUEST_MALFORMED, "the Authorization header is not UTF-8")
    if value[:7].lower() == _SCHEME:
        return value[7:]
    if _OTHER_BEARER.search(value):
        raise Denied(Reason.REQUEST_MALFORMED, "not one Bearer credential")
    return None


def require_b64token(credential: str, max_characters: int = MAX_TOKEN_CHARACTERS) -> str:
    """Return the credential if it is one b64token (RFC 6750 section 2.1) of an accepted size.

    Raises Denied: TOKEN_MALFORMED if it is too long, REQUEST_MALFORMED if it is not one b64token.
    """
    if len(credential) > max_characters:
        raise Denied(Reason.TOKEN_MALFORMED, f"longer than {max_characters} characters: see `max_token_bytes`")
    if is_b64token(credential) is None:
        raise Denied(Reason.REQUEST_MALFORMED, "the credential is not one b64token")
    return credential
