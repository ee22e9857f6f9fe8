"""Tokens that were verified before: verifying is the dear part of a check, judging is not.

What is remembered is that a signature was good, never a verdict. The text of a token is canonical (see token.py), so
one token has one entry. Two generations of a plain dict stand in for a least-recently-used list: reading needs no
lock and no reordering, and what is asked for again survives. The lock is an argument, as the clock is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from authz.core.identity import Identity

MAX_ENTRIES = 3072
"""Tokens remembered at most, in both generations together: under 20 MiB at the 5 kB that one with 1.1 kB of text takes.
Verifying again costs some 60 us, so more buys little."""

MAX_CHARACTERS = 8 * 1024 * 1024
"""Token text remembered at most: with an entry's parsed claims at twice its text, under 20 MiB altogether."""


class TokenCache:
    """Identities by token text, bounded in entries and in characters. Safe from any thread, as far as its lock is."""

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
        self._young_characters = 0
        self._lock = lock

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, text: str, now: float) -> Identity | None:
        """The identity of this very text, unless it has expired beyond its leeway at `now`."""
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
        """Remember it. The older generation goes when the younger is full."""
        with self._lock:
            if len(self._young) >= self._half_entries or self._young_characters >= self._half_characters:
                self._old, self._young, self._young_characters = self._young, {}, 0
            if text not in self._young:
                self._young_characters += len(text)
            self._young[text] = identity
        return identity

    def forget(self, text: str) -> None:
        """Drop it from both generations, if it is there."""
        with self._lock:
            if self._young.pop(text, None) is not None:
                self._young_characters -= len(text)
            self._old.pop(text, None)
