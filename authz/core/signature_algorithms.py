"""The signature algorithms that can be configured, and their implementations: PyJWT's, and cryptography's ML-DSA.

Names: RFC 7518 section 3.1, RFC 8037 (`EdDSA`), RFC 9864 (`Ed25519`), RFC 9964 (ML-DSA). Asymmetric only, because a
JWKS is public.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey, MLDSA65PublicKey, MLDSA87PublicKey
from jwt import PyJWK
from jwt.algorithms import get_default_algorithms

ALGORITHMS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "RS256": ("RSA", None),
        "RS384": ("RSA", None),
        "RS512": ("RSA", None),
        "PS256": ("RSA", None),
        "PS384": ("RSA", None),
        "PS512": ("RSA", None),
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "ES512": ("EC", "P-521"),
        "EdDSA": ("OKP", "Ed25519"),
        "Ed25519": ("OKP", "Ed25519"),
        "ML-DSA-44": ("AKP", None),
        "ML-DSA-65": ("AKP", None),
        "ML-DSA-87": ("AKP", None),
    }
)
"""The configurable algorithms, with key type and curve."""

NAMES_ITS_ALGORITHM = "AKP"
"""The key type whose keys must have `alg`: the parameters do not tell the algorithms apart (RFC 9964)."""


class Implementation(Protocol):
    """Verifies the signatures of one algorithm."""

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        """Whether the key made the signature of the message."""


class _MlDsa:
    """ML-DSA (FIPS 204) with an empty context, which PyJWT does not have."""

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:
        try:
            key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


_ML_DSA_KEYS: Mapping[str, Any] = MappingProxyType(
    {"ML-DSA-44": MLDSA44PublicKey, "ML-DSA-65": MLDSA65PublicKey, "ML-DSA-87": MLDSA87PublicKey}
)
_PYJWT = get_default_algorithms()
_PYJWT_NAMES: Mapping[str, str] = MappingProxyType({"Ed25519": "EdDSA"})
"""PyJWT knows EdDSA over Ed25519 by its older name only."""

IMPLEMENTATIONS: Mapping[str, Implementation] = MappingProxyType(
    {name: _MlDsa() if name in _ML_DSA_KEYS else _PYJWT[_PYJWT_NAMES.get(name, name)] for name in ALGORITHMS}
)
"""By `alg` value."""


def public_key(jwk: Mapping[str, Any], algorithm: str) -> Any:
    """Return the public key of a JWK. Raises the errors of PyJWT and cryptography if it is not valid."""
    if algorithm in _ML_DSA_KEYS:
        return _ML_DSA_KEYS[algorithm].from_public_bytes(_decoded(jwk["pub"]))
    return PyJWK(dict(jwk), algorithm=_PYJWT_NAMES.get(algorithm, algorithm)).key


def _decoded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515 section 2). Raises ValueError, TypeError or AttributeError."""
    standard = text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/"))
    return binascii.a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
