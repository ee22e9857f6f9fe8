"""What an issuer says of the subject of a token when it is asked (OpenID Connect Core section 5.3, UserInfo).

Claims from there are named `@userinfo/NAME`, with a JSON Pointer behind `@userinfo`: they never mix with the token's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from authz.core import strict_json

MAX_DOCUMENT_BYTES = 16 * 1024
"""The largest answer that is read. Real ones are under 2 kB."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The claims of one who was not asked about."""


class UserinfoMode(Enum):
    """That a policy has the endpoint asked, and what becomes of a request when there is no answer."""

    REQUIRED = "required"
    """It is refused."""
    OPTIONAL = "optional"
    """It goes on without the claims from there."""


class UnusableUserinfo(ValueError):
    """The answer is not one. The message says why, and nothing of the answer."""


class OtherSubject(UnusableUserinfo):
    """The answer is about somebody else."""


def parse(document: bytes, subject: str) -> Mapping[str, Any]:
    """The claims of the subject. Raises UnusableUserinfo.

    Without the very `sub` of the token the answer must not be used (section 5.3.2): tokens could be swapped. A signed
    answer (`application/jwt`) is not JSON.
    """
    try:
        claims = strict_json.loads(document)
    except strict_json.NotStrictJson as error:
        raise UnusableUserinfo(f"the answer is {error}") from error
    if not isinstance(claims, dict):
        raise UnusableUserinfo("the answer is not an object")
    if not subject or claims.get("sub") != subject:
        raise OtherSubject("the answer's sub is not the token's")
    return MappingProxyType(claims)
