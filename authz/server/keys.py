"""Finding the key that a token names: at once where it is known, later where a fetch may bring it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

from authz.core.issuers import Issuer
from authz.core.keyset import Key, KeySet
from authz.core.reasons import Denied, Reason


class KeySource(Protocol):
    """One issuer's keys, as far as a check needs them."""

    @property
    def current(self) -> KeySet | None:
        """The last good snapshot, None where there is none or it is too old. Read from any thread."""

    def ask(self) -> Future[None] | None:
        """A fetch that may bring a key which is not here; None where none is due. Never blocks."""


class FetchPending(Exception):
    """The key may come with a fetch that is under way."""

    def __init__(self, fetch: Future[None]) -> None:
        super().__init__()
        self.fetch = fetch


class Keys:
    """The key sources of all issuers, by alias."""

    def __init__(self, sources: Mapping[str, KeySource]) -> None:
        self._sources = sources

    def current(self, alias: str) -> KeySet | None:
        """The snapshot that is in force for an issuer."""
        return self._sources[alias].current

    def find(self, issuer: Issuer, key_id: str, *, may_wait: bool) -> tuple[Key, KeySet]:
        """The key and the snapshot it is from.

        Raises FetchPending where a fetch may bring it and the caller may wait, Denied(KEY_UNKNOWN) or
        Denied(KEYS_UNAVAILABLE) otherwise.
        """
        source = self._sources[issuer.alias]
        key_set = source.current
        if key_set is not None and key_id in key_set.keys:
            return key_set.keys[key_id], key_set
        fetch = source.ask() if may_wait else None
        if fetch is not None:
            raise FetchPending(fetch)
        if key_set is None:
            raise Denied(Reason.KEYS_UNAVAILABLE, f"no usable key set of {issuer.alias}")
        raise Denied(Reason.KEY_UNKNOWN, f"kid is {key_id!r:.80}")
