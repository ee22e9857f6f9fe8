"""What is known of one issuer's keys, for people and for metrics: "is the new key here yet?"."""

from __future__ import annotations

from collections.abc import Callable

from authz.core.keyset import DroppedKey, Key, KeySet
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import KeyInUse, KeyStatus


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

    def report(self, alias: str, *, in_use: bool, unknown_kids: int) -> KeyStatus:
        """What is known at this moment. `in_use` says whether the keys held may be used."""
        held = self._first_seen.items() if in_use else ()
        return KeyStatus(
            alias=alias,
            keys=tuple(KeyInUse(kid, tuple(key.algorithms), first_seen) for kid, (key, first_seen) in held),
            dropped=self._dropped,
            last_success=self._last_success,
            last_result=self.last_result,
            fetches=dict(self._fetches),
            unknown_kids=unknown_kids,
            stale=not in_use and self._last_success is not None,
        )
