"""Any bytes as a JWKS: no usable key, or keys that are fit; never another exception."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from authz.core import keyset
from authz.core.keyset import UnusableKeySet
from authz.core.signature_algorithms import ALGORITHMS
from fuzz import rig

MAX_BYTES = 8_000
SEEDS = [
    json.dumps({"keys": [{**key, "kid": rig.KEY_ID} for key in rig.PUBLIC_JWKS.values()]}).encode(),
    b'{"keys":[]}',
]


def one_input(data: bytes) -> None:
    for distinct in (True, False):
        _parse(data, distinct=distinct)


def _parse(data: bytes, *, distinct: bool) -> None:
    try:
        key_set = rig.DOCUMENT_CEILING.holds(len(data), lambda: keyset.parse(data, ALGORITHMS, distinct_kids=distinct))
    except UnusableKeySet:
        return

    assert key_set.keys
    for key_id, first in key_set.keys.items():
        assert first.key_id == key_id
        assert not (distinct and (first.others or not key_id))
        assert all(len(first.fitting(name)) <= keyset.MAX_KEYS_TRIED for name in ALGORITHMS)
    for key in (each for first in key_set.keys.values() for each in (first, *first.others)):
        assert set(key.algorithms) <= set(ALGORITHMS)
        if isinstance(key.public_key, RSAPublicKey):
            assert key.public_key.key_size >= keyset.MIN_RSA_BITS
        assert not key.verifies(next(iter(key.algorithms)), b"nobody signed this", b"\0" * 64)
