"""Where the bearer token is: in exactly one Authorization header (RFC 6750 section 2.1, RFC 9110 section 11).

Tokens in the query, the body or a cookie are not read at all (RFC 6750 section 2.3 and 5.3).
"""

from __future__ import annotations

import re

from authz.core.reasons import Denied, Reason

MAX_TOKEN_CHARACTERS = 16 * 1024
"""The longest token that is looked at. Envoy's own limit for all headers together is 60 KiB; real tokens are 1 to 3."""

_SCHEME = "bearer "
_OTHER_BEARER = re.compile(r"(?:^|,)[ \t]*bearer(?![!#$%&'*+.^_`|~0-9a-z-])", re.IGNORECASE)
is_b64token = re.compile(r"[A-Za-z0-9._~+/-]+=*").fullmatch
"""Whether the text is one b64token (RFC 6750 section 2.1)."""


def find(values: tuple[str | bytes, ...]) -> str | None:
    """The credential after `Bearer `, or None where there is no header or it has another scheme.

    The scheme's case does not matter. The credential is not checked yet: see `require_b64token`.
    Raises Denied(REQUEST_MALFORMED) for two credentials, bytes outside UTF-8, or a Bearer without a credential.
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


def require_b64token(credential: str) -> str:
    """The credential, if it is one b64token (RFC 6750 section 2.1) of a size that is looked at.

    Raises Denied: TOKEN_MALFORMED where it is too long, REQUEST_MALFORMED where it is not one b64token.
    """
    if len(credential) > MAX_TOKEN_CHARACTERS:
        raise Denied(Reason.TOKEN_MALFORMED, f"longer than {MAX_TOKEN_CHARACTERS} characters")
    if is_b64token(credential) is None:
        raise Denied(Reason.REQUEST_MALFORMED, "the credential is not one b64token")
    return credential
