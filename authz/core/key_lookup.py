"""Look up the key that a token names: now if the key is known, later if a fetch may bring it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from authz.core.issuers import Issuer
from authz.core.keyset import MAX_KEYS_COMPARED, Key, KeySet
from authz.core.reasons import Denied, Reason

if TYPE_CHECKING:
    from concurrent.futures import Future  # for annotations only: the core passes futures on and never waits


class KeySource(Protocol):
    """The keys of one issuer."""

    @property
    def current(self) -> KeySet | None:
        """The last good key set. None if there is none or it is too old. Safe to read from any thread."""

    def ask(self) -> Future[None] | None:
        """Return a fetch that may bring an unknown key, None if no fetch is due. Never blocks."""


class FetchPending(Exception):
    """A fetch is running that may bring the key."""

    def __init__(self, fetch: Future[None]) -> None:
        super().__init__()
        self.fetch = fetch


class KeyLookup:
    """The key sources of all issuers, by alias."""

    def __init__(self, sources: Mapping[str, KeySource]) -> None:
        self._sources = sources

    def current(self, alias: str) -> KeySet | None:
        """Return the issuer's key set in force."""
        return self._sources[alias].current

    def find(self, issuer: Issuer, key_id: str, algorithm: str, *, may_wait: bool) -> tuple[Key, KeySet]:
        """Return the key and its key set.

        Raises FetchPending if a fetch may bring the key and the caller may wait, otherwise Denied(KEY_UNKNOWN) or
        Denied(KEYS_UNAVAILABLE).
        """
        source = self._sources[issuer.alias]
        key_set = source.current
        key = key_set.find(key_id, algorithm) if key_set is not None else None
        if key_set is not None and key is not None:
            return key, key_set
        fetch = source.ask() if may_wait else None
        if fetch is not None:
            raise FetchPending(fetch)
        if key_set is None:
            raise Denied(Reason.KEYS_UNAVAILABLE, f"no usable key set of {issuer.alias}")
        raise Denied(Reason.KEY_UNKNOWN, f"kid is {key_id!r:.80}" if key_id else _without_kid(key_set, algorithm))


def _without_kid(key_set: KeySet, algorithm: str) -> str:
    fitting = len(key_set.fitting.get(algorithm, ()))
    count = "no" if not fitting else f"at least {fitting}" if fitting == MAX_KEYS_COMPARED else str(fitting)
    return f"there is no kid, and {count} keys of the set fit {algorithm}"
