"""What is known of one issuer's keys, for people and for metrics: "is the new key here yet?"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authz.core.keyset import DroppedKey, Key, KeySet
from authz.sources.fetch_result import FetchResult


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key in use."""

    kid: str
    algorithms: tuple[str, ...]
    first_seen: float
    """Wall clock, seconds since 1970, of the fetch that first brought this very key under this kid."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One issuer's keys. `dataclasses.asdict` of it is JSON."""

    alias: str
    keys: tuple[KeyInfo, ...]
    """The keys in use, in the order of the document; empty before the first good fetch and once stale."""
    dropped: tuple[DroppedKey, ...]
    """Keys of the last good document that are not used, and why."""
    last_success: float | None
    """Wall clock, seconds since 1970, of the last good fetch."""
    last_result: FetchResult | None
    fetches: dict[FetchResult, int]
    """How often each result came about. Every result is present."""
    unknown_kids: int
    """How often a key was wanted that is not in the set."""
    stale: bool
    """Whether there were keys, and the last good fetch is longer ago than `max_stale`."""


class FetchStats:
    """Takes down how fetches end. Written by the loop's thread only, readable from any: what it holds is replaced."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._first_seen: dict[str, tuple[Key, float]] = {}
        self._dropped: tuple[DroppedKey, ...] = ()
        self._last_success: float | None = None
        self.last_result: FetchResult | None = None
        self._fetches = dict.fromkeys(FetchResult, 0)

    def ended(self, result: FetchResult) -> None:
        """A fetch ended so."""
        self._fetches[result] += 1
        self.last_result = result

    def holds(self, key_set: KeySet) -> None:
        """A fetch brought these keys, new or old."""
        now = self._last_success = self._wall()
        before = self._first_seen
        self._first_seen = {
            kid: before[kid] if kid in before and before[kid][0] == key else (key, now)
            for kid, key in key_set.keys.items()
        }
        self._dropped = key_set.dropped

    def report(self, alias: str, *, in_use: bool, unknown_kids: int) -> KeyReport:
        """What is known at this moment. `in_use` says whether the keys held may be used."""
        held = self._first_seen.items() if in_use else ()
        return KeyReport(
            alias=alias,
            keys=tuple(KeyInfo(kid, tuple(key.algorithms), first_seen) for kid, (key, first_seen) in held),
            dropped=self._dropped,
            last_success=self._last_success,
            last_result=self.last_result,
            fetches=dict(self._fetches),
            unknown_kids=unknown_kids,
            stale=not in_use and self._last_success is not None,
        )
