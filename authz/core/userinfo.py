"""The response of an issuer's userinfo endpoint (OpenID Connect Core section 5.3).

Its claims are named `@userinfo/NAME`, a JSON Pointer after `@userinfo`, so that they never mix with the token's claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from authz.core import strict_json

MAX_DOCUMENT_BYTES = 16 * 1024
"""The largest accepted response. Real responses are under 2 kB."""

MAX_ELEMENTS = 1024
"""Brackets, colons and commas in an answer: twice those of a token, because the answer carries the long lists of groups
that do not fit into one."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The userinfo claims if there was no request."""


class UserinfoMode(Enum):
    """Whether a policy requires the userinfo claims."""

    REQUIRED = "required"
    """Without a response, the HTTP request is refused."""
    OPTIONAL = "optional"
    """Without a response, the check continues without userinfo claims."""


class UnusableUserinfo(ValueError):
    """The response cannot be used. The message says why and never quotes the response."""


class OtherSubject(UnusableUserinfo):
    """The response is about another subject."""


def parse(document: bytes, subject: str) -> Mapping[str, Any]:
    """Return the claims of the subject. Raises UnusableUserinfo.

    The `sub` must be equal to the token's (section 5.3.2), because tokens could be swapped. A signed response
    (`application/jwt`) is not JSON and is refused.
    """
    try:
        claims = strict_json.loads(document, MAX_ELEMENTS)
    except strict_json.NotStrictJson as error:
        raise UnusableUserinfo(f"the answer is {error}") from error
    if not isinstance(claims, dict):
        raise UnusableUserinfo("the answer is not an object")
    if not subject or claims.get("sub") != subject:
        raise OtherSubject("the answer's sub is not the token's")
    return MappingProxyType(claims)
