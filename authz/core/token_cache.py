"""A cache of verified tokens. Verification is the expensive step of a check.

An entry means that the signature is valid. The policy is checked on every request. The text of a token is canonical
(see token.py), so a token has exactly one entry. Two generations of a plain dict approximate a least-recently-used
list: a lookup needs no lock and no reordering, and entries in use move to the younger generation. The generation that
has gone is freed little by little: all of it at once would hold up every call for 5 ms.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from authz.core.identity import Identity

MAX_ENTRIES = 3072
"""The most tokens in both generations together: under 20 MiB, because a token with 1.1 kB of text takes 5 kB. A new
verification takes about 60 us, so a larger cache gains little."""

MAX_CHARACTERS = 8 * 1024 * 1024
"""The most characters of token text: under 20 MiB in total, because the parsed claims take twice the text."""


FREED_TOGETHER = 32
"""Entries of the last generation that are freed at once, after as many were added. One by one would be smoother, but
would hide the new objects from Python's garbage collector, which counts new objects less freed ones: it would run
rarely, and then over all of them."""


class TokenCache:
    """Identities by token text, with a bound on entries and on characters. Safe from any thread with a real lock."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        max_entries: int = MAX_ENTRIES,
        max_characters: int = MAX_CHARACTERS,
    ) -> None:
        self._half_entries = max(1, max_entries // 2)
        self._half_characters = max(1, max_characters // 2)
        self._young: dict[str, Identity] = {}
        self._old: dict[str, Identity] = {}
        self._gone: dict[str, Identity] = {}  # no longer found, only not freed yet
        self._young_characters = 0
        self._freed_up_to = 0  # of the younger generation's characters
        self._lock = lock

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, text: str, now: float) -> Identity | None:
        """Return the identity of the token, None if it is not cached or has expired including leeway."""
        identity = self._young.get(text)
        if identity is None:
            identity = self._old.get(text)
            if identity is None:
                return None
            self.put(text, identity)
        if now >= identity.expires_at + identity.issuer.leeway_seconds:
            self.forget(text)
            return None
        return identity

    def put(self, text: str, identity: Identity) -> Identity:
        """Add an identity. If the younger generation is full, it replaces the older."""
        with self._lock:
            if len(self._young) >= self._half_entries or self._young_characters >= self._half_characters:
                self._gone, self._old, self._young, self._young_characters = self._old, self._young, {}, 0
                self._freed_up_to = 0
            if text not in self._young:
                self._young_characters += len(text)
            self._young[text] = identity
            if self._gone and len(self._young) % FREED_TOGETHER == 0:
                self._free()
        return identity

    def _free(self) -> None:
        """Free as many entries of the last generation, and as many characters, as the younger generation has gained."""
        entries, characters = FREED_TOGETHER, self._young_characters - self._freed_up_to
        self._freed_up_to = self._young_characters
        while self._gone and (entries > 0 or characters > 0):
            text, _identity = self._gone.popitem()
            entries, characters = entries - 1, characters - len(text)

    def forget(self, text: str) -> None:
        """Drop a token from both generations."""
        with self._lock:
            if self._young.pop(text, None) is not None:
                self._young_characters -= len(text)
            self._old.pop(text, None)
