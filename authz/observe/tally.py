"""What a worker counts: plain numbers beside the request path, read out by `snapshot` for the supervisor."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from threading import Lock
from typing import Any

from authz.core.decision import Decision
from authz.core.reasons import Reason

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
"""Upper bounds of `authz_check_duration_seconds`. A remembered token takes some 20 us, a new one some 100."""


class Tally:
    """Counts of one worker since it started. Only ever grows."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._checks: Counter[tuple[str, str, str]] = Counter()
        self._buckets = [0] * (len(DURATION_BOUNDS_SECONDS) + 1)
        self._sum_seconds = 0.0
        self._remembered = [0, 0]
        self._candidates: Counter[tuple[str, str]] = Counter()
        self._api_refusals: Counter[tuple[str, str]] = Counter()

    def count(self, decision: Decision, seconds: float) -> None:
        """Count one check."""
        policy = decision.policy
        key = (decision.reason.row.label, policy.name if policy is not None else "", decision.issuer)
        bucket = bisect_left(DURATION_BOUNDS_SECONDS, seconds)
        with self._lock:
            self._checks[key] += 1
            self._buckets[bucket] += 1
            self._sum_seconds += seconds
            if decision.remembered is not None:
                self._remembered[decision.remembered] += 1
            if decision.comparison is not None:
                self._candidates[key[1], decision.comparison.agreement] += 1
            if is_user_pools_api_scope_refusal(decision):
                self._api_refusals[key[1:]] += 1

    @property
    def total(self) -> int:
        """Checks counted since the start."""
        return sum(self._buckets)

    def snapshot(self) -> dict[str, Any]:
        """The counts as plain data."""
        with self._lock:
            return {
                "checks": [[*key, count] for key, count in self._checks.items()],
                "buckets": list(self._buckets),
                "sum_seconds": self._sum_seconds,
                "misses": self._remembered[False],
                "hits": self._remembered[True],
                "candidates": [[*key, count] for key, count in self._candidates.items()],
                "api_refusals": [[*labels, count] for labels, count in self._api_refusals.items()],
            }


def is_user_pools_api_scope_refusal(decision: Decision) -> bool:
    """Whether a good token was refused for a scope that no token of Cognito's user pools API can carry."""
    identity = decision.identity
    return decision.reason is Reason.SCOPE_INSUFFICIENT and identity is not None and identity.is_from_user_pools_api
