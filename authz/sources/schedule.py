"""When the next fetch of keys is due: arithmetic only, the clock and chance are arguments."""

from __future__ import annotations

JITTER = 0.1
"""Part by which a refresh comes early or late, so that many sidecars do not ask an issuer in step."""

MAX_RETRY_WITHOUT_KEYS_SECONDS = 30.0
"""The longest pause while there is no key set to work with: an issuer that was down at start must not leave the sidecar
useless for a whole refresh interval after it came back."""

_MAX_DOUBLINGS = 16


def next_delay(
    *, failures: int, refresh_seconds: float, cool_down_seconds: float, has_keys: bool, chance: float
) -> float:
    """Seconds from the beginning of the last fetch to the beginning of the next.

    `failures` counts the fetches that failed since the last good one. After a failure the pause starts at the cool-down
    and doubles, plus up to half of itself by chance, and never passes the refresh interval.
    """
    refresh = refresh_seconds * (1 - JITTER + 2 * JITTER * chance)
    if failures == 0:
        return max(cool_down_seconds, refresh)
    pause = cool_down_seconds * 2.0 ** min(failures - 1, _MAX_DOUBLINGS) * (1 + chance / 2)
    longest = refresh if has_keys else min(refresh, MAX_RETRY_WITHOUT_KEYS_SECONDS)
    return max(cool_down_seconds, min(pause, longest))
