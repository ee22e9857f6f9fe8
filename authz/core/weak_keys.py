"""Recognise public keys with a valid form that give no security: Ed25519 points of small order, and ROCA moduli."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SIGN = 1 << 255


def is_small_order(encoded: bytes) -> bool:
    """Whether an Ed25519 public key (RFC 8032 section 5.1.2) has an order that divides 8.

    With such a key, a constant signature verifies for many or all messages. `y` alone decides: a point with
    y = 0, 1 or -1 has order 4, 1 or 2, and a point of order 8 has y with d*y^4 + 2*y^2 - 1 = 0, because its double has
    y = 0 (x^2 = -y^2 in the curve equation -x^2 + y^2 = 1 + d*x^2*y^2).
    """
    y = (int.from_bytes(encoded, "little") & (_SIGN - 1)) % _P
    square = y * y % _P
    return y in {0, 1, _P - 1} or (_D * square * square + 2 * square - 1) % _P == 0


_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109),
    *(113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)
_RESIDUES: Mapping[int, frozenset[int]] = MappingProxyType(
    {prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _PRIMES}
)
"""Infineon's library chose primes of the form k*M + (65537^a mod M), so their products are powers of 65537 modulo each
small prime (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 2.1)."""


def is_roca(modulus: int) -> bool:
    """Whether an RSA modulus has the form of CVE-2017-15361. A sound modulus has it with probability below 2**-27."""
    return all(modulus % prime in residues for prime, residues in _RESIDUES.items())
