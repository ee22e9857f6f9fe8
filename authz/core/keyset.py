"""Select the keys of a published JWKS that may verify signatures, and their algorithms.

Follows RFC 7517 for the document, RFC 7518 and RFC 8037 for the keys, RFC 8725 section 3.5 for their strength.
PyJWT and cryptography build the key objects; this file only selects. An unusable key is dropped and reported, and does
not affect the other keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWTError

from authz.core import strict_json
from authz.core.signature_algorithms import ALGORITHMS, IMPLEMENTATIONS, NAMES_ITS_ALGORITHM, Implementation
from authz.core.signature_algorithms import public_key as build_key
from authz.core.weak_keys import is_roca, is_small_order

MAX_DOCUMENT_BYTES = 512 * 1024
"""The largest JWKS that is read. Real ones are under 20 kB."""

MAX_KEYS = 100
"""The most keys in one JWKS. Each takes time to construct. Real sets have two to ten."""

MAX_ELEMENTS = 40 * MAX_KEYS
"""Brackets, colons and commas in a JWKS: 40 for each key, where RFC 7517 has 10 to 25. 512 KiB of `{},` took 0.2 s in
which no request was answered."""

MAX_KEY_ID_CHARACTERS = 256
"""The longest `kid`. It is kept in memory and written to logs."""

MAX_KEYS_TRIED = 4
"""The most keys of one `kid` and algorithm. A token can cost one verification for each."""

MAX_KEYS_COMPARED = 5
"""The most keys that are kept for tokens without `kid`: one is used, and more are only counted in the log. Comparing
100 keys with each other took 15 ms."""

MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

MAX_RSA_BITS = 8192
"""The cost of a verification grows with the square of the modulus. A 16k key of one issuer would slow down all."""

MIN_RSA_EXPONENT = 65537
"""Small exponents, especially 1 and 3, have a history of forgeries. NIST SP 800-56B requires more than 2**16."""

MAX_RSA_EXPONENT = 2**64
"""Bounds the cost of a verification as well. Real keys use 65537."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that may verify signatures of its issuer."""

    key_id: str
    algorithms: Mapping[str, Implementation]
    """By `alg` value. Never empty."""
    public_key: Any
    others: tuple[Key, ...] = ()
    """Further keys with this `kid`. Only the first key of a key set has them."""

    def fitting(self, algorithm: str) -> tuple[Key, ...]:
        """Return the keys with this `kid` that are for the algorithm, at most `MAX_KEYS_TRIED`."""
        return tuple([key for key in (self, *self.others) if algorithm in key.algorithms])

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether this key made the signature of these bytes. The algorithm must be in `algorithms`."""
        return bool(self.algorithms[algorithm].verify(signed, self.public_key, signature))


@dataclass(frozen=True, slots=True)
class DroppedKey:
    """A key of the document that is not used, and why."""

    key_id: str
    """The `kid` as published, shortened. Empty if it has none. Log it through `repr` only."""
    why: str


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of an issuer. Immutable."""

    keys: Mapping[str, Key]
    """By `kid`. Keys without one are under the empty text."""
    dropped: tuple[DroppedKey, ...] = ()
    fitting: Mapping[str, tuple[Key, ...]] = field(init=False, repr=False, compare=False)
    """By `alg`, different keys of the set that fit it, with and without `kid`. At most `MAX_KEYS_COMPARED`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fitting", MappingProxyType(_by_algorithm(self.every_key)))

    @property
    def every_key(self) -> tuple[Key, ...]:
        """All keys, also those that share a `kid`."""
        return tuple(key for first in self.keys.values() for key in (first, *first.others))

    def find(self, key_id: str, algorithm: str) -> Key | None:
        """Return the key with this `kid`, or else the only key of the set that fits the algorithm.

        The only key counts if the token or the key has no `kid` (RFC 7515 section 4.1.4, RFC 7517 section 4.5). If
        several keys fit, the result is None: the choice would depend on their order.
        """
        if key_id and key_id in self.keys:
            return self.keys[key_id]
        fitting = self.fitting.get(algorithm, ())
        return fitting[0] if len(fitting) == 1 and not (key_id and fitting[0].key_id) else None


def _by_algorithm(keys: Iterable[Key]) -> dict[str, tuple[Key, ...]]:
    found: dict[str, tuple[Key, ...]] = {}
    for key in keys:
        for name in key.algorithms:
            different = found.get(name, ())
            if len(different) < MAX_KEYS_COMPARED and all(key.public_key != each.public_key for each in different):
                found[name] = (*different, key)
    return found


class UnusableKeySet(ValueError):
    """The document is not a JWKS, or has no usable key. The message says which."""


def parse(document: bytes, algorithms: Iterable[str], *, distinct_kids: bool) -> KeySet:
    """Parse a JWKS and keep the keys that can verify one of `algorithms`.

    With `distinct_kids`, a key without a unique `kid` is dropped. Without it, `kid` is optional, and keys with the same
    `kid` differ in `use`, `kty` or `alg` (RFC 7517 section 4.5).
    Raises UnusableKeySet if no usable key is left, and nothing else.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise UnusableKeySet(f"larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        value = strict_json.loads(document, MAX_ELEMENTS)
    except strict_json.NotStrictJson as error:
        raise UnusableKeySet(str(error)) from error
    jwks = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(jwks, list):
        raise UnusableKeySet("no `keys` array")
    if len(jwks) > MAX_KEYS:
        raise UnusableKeySet(f"more than {MAX_KEYS} keys")
    return _choose(jwks, frozenset(algorithms), distinct_kids=distinct_kids)


def _choose(jwks: list[Any], allowed: frozenset[str], *, distinct_kids: bool) -> KeySet:
    seen = Counter(jwk["kid"] for jwk in jwks if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str))
    leaked = _leaked(jwks)
    keys: dict[str, list[Key]] = {}
    dropped: list[DroppedKey] = []
    for jwk in jwks:
        try:
            key = _key(jwk, allowed)
            _require_secret(key, leaked)
            if distinct_kids:
                _require_alone(key, seen)
            _add(keys.setdefault(key.key_id, []), key)
        except _Unfit as unfit:
            dropped.append(DroppedKey(_shown_id(jwk), str(unfit)))
    if not keys:
        why = "; ".join(sorted({one.why for one in dropped})) or "it is empty"
        raise UnusableKeySet(f"no usable key: {why}")
    first = {key_id: replace(same[0], others=tuple(same[1:])) for key_id, same in keys.items()}
    return KeySet(MappingProxyType(first), tuple(dropped))


def _require_alone(key: Key, seen: Counter[str]) -> None:
    """Refuse a key without a `kid` of its own: the selected key would depend on their order."""
    if not key.key_id:
        raise _Unfit("its kid is missing")
    if seen[key.key_id] > 1:
        raise _Unfit("its kid is used twice")


def _require_secret(key: Key, leaked: list[object]) -> None:
    """Refuse a key whose private part is in the document under another `kid` or in a second copy."""
    if key.public_key in leaked:
        raise _Unfit("its private part is published")


def _add(same: list[Key], key: Key) -> None:
    """Add a key to the other keys with its `kid`. A key that is published twice counts once."""
    if any(key.public_key == other.public_key and key.algorithms == other.algorithms for other in same):
        return
    if sum(not other.algorithms.keys().isdisjoint(key.algorithms) for other in same) >= MAX_KEYS_TRIED:
        raise _Unfit(f"{MAX_KEYS_TRIED} keys before it have its kid")
    same.append(key)


def _leaked(jwks: list[Any]) -> list[object]:
    """Return the public keys whose private part is in the document. Any party can sign with them, under every `kid`."""
    found: list[object] = []
    for jwk in jwks:
        if isinstance(jwk, dict) and not _PRIVATE_MEMBERS.isdisjoint(jwk):
            public = {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}
            names = sorted(_of_its_type(public))  # whatever `alg` says: a leak need not be a valid key
            for name in names if public.get("kty") == NAMES_ITS_ALGORITHM else names[:1]:
                with suppress(_Unfit):
                    found.append(_public_key(public, name))
                    break
    return found


class _Unfit(Exception):
    """The key is dropped. The message says why."""


def _key(jwk: object, allowed: frozenset[str]) -> Key:
    if not isinstance(jwk, dict):
        raise _Unfit("it is not an object")
    key_id = jwk.get("kid", "")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID_CHARACTERS or ("kid" in jwk and not key_id):
        raise _Unfit("its kid is empty, not a string or too long")
    names = _algorithms(jwk) & allowed
    if not names:
        raise _Unfit("no configured algorithm fits it")
    _require_fit_for_verifying(jwk)
    implementations = {name: IMPLEMENTATIONS[name] for name in sorted(names)}
    public_key = _public_key(jwk, next(iter(implementations)))
    return Key(key_id, MappingProxyType(implementations), public_key)


def _algorithms(jwk: dict[str, Any]) -> frozenset[str]:
    """Return the algorithms of this key: its `alg` if it has one, otherwise all that fit its type."""
    if "alg" not in jwk and jwk.get("kty") != NAMES_ITS_ALGORITHM:
        return _of_its_type(jwk)
    return _of_its_type(jwk) & {_text(jwk.get("alg"))}


def _of_its_type(jwk: dict[str, Any]) -> frozenset[str]:
    """Return the algorithms that fit the type and the curve of this key."""
    kty, crv = jwk.get("kty"), _text(jwk.get("crv"))
    return frozenset(
        name for name, (need_kty, need_crv) in ALGORITHMS.items() if kty == need_kty and need_crv in {None, crv}
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _require_fit_for_verifying(jwk: dict[str, Any]) -> None:
    """Check `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3). With a published private part, any party can sign."""
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise _Unfit("its private part is published")
    if "use" in jwk and jwk["use"] != "sig":
        raise _Unfit("its use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unfit("its key_ops do not include verify")


def _public_key(jwk: dict[str, Any], algorithm: str) -> object:
    try:
        public_key = build_key(jwk, algorithm)
    except (PyJWTError, KeyError, ValueError, TypeError, AttributeError, OverflowError, UnsupportedAlgorithm) as error:
        raise _Unfit("it is not a valid public key") from error
    if isinstance(public_key, RSAPublicKey):
        _require_strong_rsa(public_key)
    if isinstance(public_key, Ed25519PublicKey) and is_small_order(public_key.public_bytes_raw()):
        raise _Unfit("it is an Ed25519 point of small order")
    return cast("object", public_key)


def _require_strong_rsa(public_key: RSAPublicKey) -> None:
    if not MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
        raise _Unfit(f"its RSA modulus is not {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    exponent = public_key.public_numbers().e
    if not MIN_RSA_EXPONENT <= exponent <= MAX_RSA_EXPONENT:
        raise _Unfit("its RSA exponent is too small or too large")
    if is_roca(public_key.public_numbers().n):
        raise _Unfit("its RSA modulus has the ROCA weakness (CVE-2017-15361)")


def _shown_id(jwk: object) -> str:
    key_id = jwk.get("kid") if isinstance(jwk, dict) else None
    return key_id[:64] if isinstance(key_id, str) else ""
