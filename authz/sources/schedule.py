"""Compute when the next fetch of keys is due. The time and the random number are arguments."""

from __future__ import annotations

JITTER = 0.1
"""The fraction by which a refresh can be early or late, so that many sidecars do not send their requests together."""

MAX_RETRY_WITHOUT_KEYS_SECONDS = 30.0
"""The longest pause if there is no key set. If an issuer was down at start, the sidecar must not wait a whole refresh
interval after the issuer has recovered."""

_MAX_DOUBLINGS = 16


def next_delay(
    *, failures: int, refresh_seconds: float, cool_down_seconds: float, has_keys: bool, chance: float
) -> float:
    """Return the seconds from the start of the last fetch to the start of the next.

    `failures` counts the failed fetches since the last successful fetch. After a failure, the pause starts at the
    cool-down and doubles each time, plus up to 50 % at random. It never exceeds the refresh interval.
    """
    refresh = refresh_seconds * (1 - JITTER + 2 * JITTER * chance)
    if failures == 0:
        return max(cool_down_seconds, refresh)
    pause = cool_down_seconds * 2.0 ** min(failures - 1, _MAX_DOUBLINGS) * (1 + chance / 2)
    longest = refresh if has_keys else min(refresh, MAX_RETRY_WITHOUT_KEYS_SECONDS)
    return max(cool_down_seconds, min(pause, longest))
