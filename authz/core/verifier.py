"""Verify that a key of the issuer signed the token. Only here unverified claims become Claims."""

from __future__ import annotations

from authz.core.claims import Claims
from authz.core.issuers import Issuer
from authz.core.keyset import Key
from authz.core.reasons import Denied, Reason
from authz.core.token import UnverifiedToken


def require_algorithm(token: UnverifiedToken, issuer: Issuer) -> None:
    """Refuse a token whose `alg` the operator does not accept (RFC 8725 section 3.1).

    The accepted algorithms come from the configuration, never from the token. Raises Denied(ALGORITHM_NOT_ALLOWED).
    """
    if token.header.algorithm not in issuer.algorithms:
        raise Denied(Reason.ALGORITHM_NOT_ALLOWED, f"alg is {token.header.algorithm!r:.40}")


def verify(token: UnverifiedToken, key: Key) -> Claims:
    """Return the verified claims of the token. Keys with the same `kid` are tried in turn.

    Raises Denied: ALGORITHM_NOT_ALLOWED if the key is for another algorithm, SIGNATURE_INVALID if none of
    them made the signature.
    """
    algorithm = token.header.algorithm
    candidates = key.fitting(algorithm)
    if not candidates:
        raise Denied(Reason.ALGORITHM_NOT_ALLOWED, f"the key is not for {algorithm}")
    for each in candidates:
        if each.verifies(algorithm, token.signed, token.signature):
            return Claims(token.unverified_claims)
    raise Denied(Reason.SIGNATURE_INVALID)
