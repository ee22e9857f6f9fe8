"""A second issuer of the demo, whose key the demo owns, and a token of it that has expired.

The emulator's tokens live for five minutes at least: nobody waits so long for a button.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "ci"
_ISSUER = "https://ci.invalid"
"""A name that nobody can own (RFC 6761, section 6.4)."""

_AUDIENCE = "orders"
_KID = "ci-1"
_HOUR = 3600
_KEYS = "ci-jwks.json"
_TOKEN = "ci-token"  # noqa: S105 - a file name


def issuer(directory: Path) -> dict[str, Any]:
    """The issuer's entry of the configuration."""
    return {
        "profile": "oidc",
        "issuer": _ISSUER,
        "audiences": [_AUDIENCE],
        "algorithms": ["EdDSA"],
        "jwks_file": str(directory / _KEYS),
    }


def write(directory: Path) -> None:
    """Make the key, publish it in a key set file, and sign a token that expired one hour ago. The key is not kept."""
    key = Ed25519PrivateKey.generate()
    public = {"kty": "OKP", "crv": "Ed25519", "kid": _KID, "use": "sig", "alg": "EdDSA"}
    keys = {"keys": [public | {"x": _encode(key.public_key().public_bytes_raw())}]}
    (directory / _KEYS).write_text(json.dumps(keys), encoding="utf-8")
    now = int(time.time())
    claims: dict[str, Any] = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "build-7", "scope": "orders/read"}
    claims |= {"iat": now - 2 * _HOUR, "exp": now - _HOUR}
    parts = ({"alg": "EdDSA", "kid": _KID, "typ": "JWT"}, claims)
    signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    file = directory / _TOKEN
    file.write_text(f"{signed}.{_encode(key.sign(signed.encode()))}", encoding="ascii")
    file.chmod(0o600)


def token(directory: Path) -> str:
    """The expired token of this demo."""
    return (directory / _TOKEN).read_text(encoding="ascii")


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
