"""Record the fetches of one issuer's keys for `/keys` and metrics."""

from __future__ import annotations

from collections.abc import Callable

from authz.core.key_numbers import numbered
from authz.core.keyset import DroppedKey, Key, KeySet
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import KeyInUse, KeyStatus


class FetchStats:
    """The fetch counts and the last key set. The loop's thread writes; any thread may read, as values are replaced."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._first_seen: dict[tuple[str, int], tuple[Key, float]] = {}  # by `kid`, and its number among equal ones
        self._dropped: tuple[DroppedKey, ...] = ()
        self._last_success: float | None = None
        self.last_result: FetchResult | None = None
        self._fetches = dict.fromkeys(FetchResult, 0)

    def ended(self, result: FetchResult) -> None:
        """Count the end of a fetch."""
        self._fetches[result] += 1
        self.last_result = result

    def holds(self, key_set: KeySet) -> None:
        """Record the key set of a successful fetch."""
        now = self._last_success = self._wall()
        before, keys, seen = self._first_seen, key_set.every_key, {}
        for place, key in zip(numbered(key.key_id for key in keys), keys, strict=True):
            is_known = place in before and before[place][0].public_key == key.public_key
            seen[place] = key, before[place][1] if is_known else now
        self._first_seen = seen
        self._dropped = key_set.dropped

    def report(self, alias: str, *, in_use: bool, unknown_kids: int) -> KeyStatus:
        """Return the status now. `in_use` says whether the recorded keys may be used."""
        held = self._first_seen.values() if in_use else ()
        return KeyStatus(
            alias=alias,
            keys=tuple(KeyInUse(key.key_id, tuple(key.algorithms), first_seen) for key, first_seen in held),
            dropped=self._dropped,
            last_success=self._last_success,
            last_result=self.last_result,
            fetches=dict(self._fetches),
            unknown_kids=unknown_kids,
            stale=not in_use and self._last_success is not None,
        )
