"""The counts of one worker, as plain numbers. `snapshot` returns them for the supervisor."""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock

from authz.core.decision import Decision
from authz.core.reasons import Reason
from authz.observe.worker_status import CheckCounts

DURATION_BOUNDS_SECONDS = (
    0.000025,
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    5.0,
)
"""Upper bounds of `authz_check_duration_seconds`. A cached token takes about 20 us, a new token about 100."""


class Tally:
    """The counts of one worker since it started. They only grow."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._checks: dict[tuple[str, str, str], int] = {}
        self._buckets = [0] * (len(DURATION_BOUNDS_SECONDS) + 1)
        self._sum_seconds = 0.0
        self._remembered = [0, 0]
        self._candidates: dict[tuple[str, str], int] = {}
        self._api_refusals: dict[tuple[str, str], int] = {}

    def count(self, decision: Decision, seconds: float) -> None:
        """Count one check."""
        policy, identity = decision.policy, decision.identity
        remembered, comparison = decision.remembered, decision.comparison
        key = (decision.reason.row.label, "" if policy is None else policy.name, decision.issuer)
        bucket = bisect_left(DURATION_BOUNDS_SECONDS, seconds)
        with self._lock:
            self._checks[key] = self._checks.get(key, 0) + 1
            self._buckets[bucket] += 1
            self._sum_seconds += seconds
            if remembered is not None:
                self._remembered[remembered] += 1
            if comparison is not None:
                compared = key[1], comparison.agreement
                self._candidates[compared] = self._candidates.get(compared, 0) + 1
            # A valid token, of Cognito's user pools API, refused because it lacks a scope.
            if (
                decision.reason is Reason.SCOPE_INSUFFICIENT
                and identity is not None
                and identity.is_from_user_pools_api
            ):
                self._api_refusals[key[1:]] = self._api_refusals.get(key[1:], 0) + 1

    @property
    def total(self) -> int:
        """Checks counted since the start."""
        return sum(self._buckets)

    def snapshot(self) -> CheckCounts:
        """Return the counts at this moment."""
        with self._lock:
            return CheckCounts(
                checks=tuple((*key, count) for key, count in self._checks.items()),
                buckets=tuple(self._buckets),
                sum_seconds=self._sum_seconds,
                hits=self._remembered[True],
                misses=self._remembered[False],
                candidates=tuple((*key, count) for key, count in self._candidates.items()),
                api_refusals=tuple((*key, count) for key, count in self._api_refusals.items()),
            )
