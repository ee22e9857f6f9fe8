"""The payload of a token: the names of claims, and the required types of the claims that authz reads.

Registered claims: RFC 7519 section 4.1; `scope` and `client_id`: RFC 8693 section 4; `auth_time`: OpenID Connect
Core section 2; `origin_jti`: the Amazon Cognito developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NewType

from authz.core.reasons import Denied, Reason

Claims = NewType("Claims", Mapping[str, Any])
"""A payload whose signature was verified. Only the verifier creates it."""

MAX_TIME = 253_402_300_799
"""The last second of the year 9999. Later times are garbage, and would never leave a cache."""

MAX_POINTER_DEPTH = 8
"""Reference tokens in one JSON Pointer: deeper than any real token nests."""

USERINFO = "@userinfo"
"""The prefix in the name of a claim from the userinfo endpoint."""
_NO_ESCAPE = re.compile("~(?![01])")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def is_scope(text: str) -> bool:
    """Whether it is one scope-token (RFC 6749 section 3.3).

    Scopes are split at U+0020 only. A text with another kind of space is not a scope, and no policy can name it.
    """
    return _SCOPE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class ClaimName:
    """The name of a claim in a configuration: a top-level name, or a JSON Pointer (RFC 6901) if it starts with `/`.

    After `@userinfo`, a JSON Pointer into the response of the userinfo endpoint.
    """

    text: str
    tokens: tuple[str, ...]
    is_from_userinfo: bool = False

    @classmethod
    def parse(cls, text: str) -> ClaimName:
        """Parse a claim name. Raises ValueError, with the reason for the operator, if it is not valid."""
        pointer = text.removeprefix(USERINFO)
        is_from_userinfo = pointer != text
        if is_from_userinfo and not pointer.startswith("/"):
            raise ValueError(f"`{USERINFO}` needs a JSON Pointer after it, as in `{USERINFO}/email`")
        if not pointer.startswith("/"):
            if not text:
                raise ValueError("a claim name is empty")
            return cls(text, (text,))
        if _NO_ESCAPE.search(pointer):
            raise ValueError("in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)")
        tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/"))
        if len(tokens) > MAX_POINTER_DEPTH:
            raise ValueError(f"the JSON Pointer is deeper than {MAX_POINTER_DEPTH} levels")
        return cls(text, tokens, is_from_userinfo)

    def __str__(self) -> str:
        return self.text

    def is_same_claim(self, text: str) -> bool:
        """Whether a claim name of the token, written as `name` or as `/name`, means this claim."""
        return not self.is_from_userinfo and self.tokens == ClaimName.parse(text).tokens

    def find(self, claims: Mapping[str, Any]) -> tuple[bool, Any]:
        """Return whether the claim is present, and its value. Pass the userinfo claims if `is_from_userinfo`."""
        value: Any = claims
        for token in self.tokens:
            if isinstance(value, Mapping) and token in value:
                value = value[token]
            elif isinstance(value, list) and _is_index(token) and int(token) < len(value):
                value = value[int(token)]
            else:
                return False, None
        return True, value


def _is_index(token: str) -> bool:
    """Whether it is an array index (RFC 6901 section 4): no sign, no leading zero."""
    return token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and len(token) < 6  # noqa: PLR2004, S105


def is_time(value: object) -> bool:
    """Whether it is a NumericDate (RFC 7519 section 2) up to MAX_TIME. Booleans are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_TIME


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_audience(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


_TYPES = MappingProxyType(
    {
        "iss": _is_text,
        "exp": is_time,
        "sub": _is_text,
        "aud": _is_audience,
        "nbf": is_time,
        "iat": is_time,
        "jti": _is_text,
        "origin_jti": _is_text,
        "auth_time": is_time,
        "scope": _is_text,
        "client_id": _is_text,
    }
)
_KINDS = ((bool, "a boolean"), (str, "a string"), (int | float, "a number"), (list, "a list"), (Mapping, "an object"))
_REQUIRED = ("iss", "exp")
_READ_BY_EVERY_CHECK = (*_REQUIRED, "sub", "aud", "nbf", "iat", "jti", "origin_jti")


def require_types(unverified: Mapping[str, Any]) -> None:
    """Check that `iss` and `exp` are present, and the types of the claims that every check reads.

    Raises Denied(TOKEN_MALFORMED). All other claims are checked when something reads them: AD FS sends `auth_time` as
    a date, and that spoils no token for a policy without `max_age`. A profile can name more in `typed_claims`.
    """
    for name in _REQUIRED:
        if name not in unverified:
            raise Denied(Reason.TOKEN_MALFORMED, f"the claim {name} is missing")
    require_types_of(_READ_BY_EVERY_CHECK, unverified)


def require_types_of(names: tuple[str, ...], claims: Mapping[str, Any]) -> None:
    """Check the types of these claims if they are present. Raises Denied(TOKEN_MALFORMED)."""
    for name in names:
        if name in claims and not _TYPES[name](claims[name]):
            raise Denied(Reason.TOKEN_MALFORMED, f"the claim {name} has a wrong type or value: {kind_of(claims[name])}")


def kind_of(value: object) -> str:
    """Return the kind of a JSON value for a log line. The value itself can be long, or an attack on the log."""
    return next((kind for types, kind in _KINDS if isinstance(value, types)), "null")
