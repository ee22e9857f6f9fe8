"""Record the fetches of one issuer's keys for `/keys` and metrics."""

from __future__ import annotations

from collections.abc import Callable

from authz.core.keyset import DroppedKey, Key, KeySet
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import KeyInUse, KeyStatus


class FetchStats:
    """The fetch counts and the last key set. The loop's thread writes; any thread may read, as values are replaced."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._first_seen: dict[str, tuple[Key, float]] = {}
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
        before = self._first_seen
        self._first_seen = {
            kid: before[kid] if kid in before and before[kid][0] == key else (key, now)
            for kid, key in key_set.keys.items()
        }
        self._dropped = key_set.dropped

    def report(self, alias: str, *, in_use: bool, unknown_kids: int) -> KeyStatus:
        """Return the status now. `in_use` says whether the recorded keys may be used."""
        held = self._first_seen.items() if in_use else ()
        return KeyStatus(
            alias=alias,
            keys=tuple(KeyInUse(kid, _algorithms(key), first_seen) for kid, (key, first_seen) in held),
            dropped=self._dropped,
            last_success=self._last_success,
            last_result=self.last_result,
            fetches=dict(self._fetches),
            unknown_kids=unknown_kids,
            stale=not in_use and self._last_success is not None,
        )


def _algorithms(key: Key) -> tuple[str, ...]:
    """Return the algorithms of all keys with this `kid`."""
    return tuple(dict.fromkeys(name for each in (key, *key.others) for name in each.algorithms))
