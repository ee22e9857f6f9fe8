"""How the corpus makes tokens: any header and any payload under a real signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import jwt

from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, access_claims
from tests.fakes.keys import PrivateKey, rsa_key

OTHER_KEY = rsa_key(7)

Cases = Iterator[tuple[str, str]]
"""Names and tokens. A name begins with its family and a colon."""


def claims(now: int, **changes: Any) -> dict[str, Any]:
    """Claims of a good access token at this time."""
    return access_claims(**({"iat": now - 60, "auth_time": now - 60, "exp": now + 3600} | changes))


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: object, payload: object, *, key: PrivateKey = COGNITO_KEY, alg: str = "RS256") -> str:
    """A token over any header and payload: bytes as they are, anything else as JSON."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    text = ".".join(map(encode, parts))
    return f"{text}.{encode(jwt.get_algorithm_by_name(alg).sign(text.encode(), key))}"


def header(**changes: Any) -> dict[str, Any]:
    """The JOSE header of a good token. A member that is None is left out."""
    members = {"kid": COGNITO_KID, "alg": "RS256"} | changes
    return {name: value for name, value in members.items() if value is not None}
