"""The load that many pods put on one issuer's key endpoint, simulated with the schedule of the sidecar itself.

python -m drills.fleet --pods 10000

Simulated are the times of fetches, nothing else: a fetch takes no time and either succeeds or fails. The random numbers
are the same in each run.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from authz.sources.environment import COOL_DOWN_SECONDS
from authz.sources.schedule import next_delay

PODS = 10_000
TIER_PODS = 20
REFRESH_SECONDS = 300.0
"""The default of `refresh`."""

_MINUTE, _HOUR = 60.0, 3600.0
_AWAY_BEGINS, _AWAY_ENDS = _HOUR, _HOUR + 10 * _MINUTE
_SEED = 1


def fetches(pods: int, started_within: float, end: float, answers: Callable[[float], bool]) -> Iterator[float]:
    """Yield the times of all fetches of a fleet, pod by pod. Pods start at random times within the first seconds."""
    chance = random.Random(_SEED).random  # noqa: S311 - a simulation
    for _pod in range(pods):
        now, failures, has_keys = started_within * chance(), 0, False
        while now < end:
            yield now
            failures, has_keys = (0, True) if answers(now) else (failures + 1, has_keys)
            now += next_delay(
                failures=failures,
                refresh_seconds=REFRESH_SECONDS,
                cool_down_seconds=COOL_DOWN_SECONDS,
                has_keys=has_keys,
                chance=chance(),
            )


def rates(found: Iterable[float], begin: float, end: float) -> tuple[float, int]:
    """The mean per second between two times, and the most in one second."""
    seconds = Counter(int(time) for time in found if begin <= time < end)
    return sum(seconds.values()) / (end - begin), max(seconds.values(), default=0)


def rows(pods: int = PODS, tier_pods: int = TIER_PODS) -> list[tuple[str, str, str]]:
    """Situation, mean per second, and the most in one second."""
    found = []

    def add(situation: str, measured: tuple[float, int]) -> None:
        found.append((situation, f"{measured[0]:,.1f}", f"{measured[1]:,}"))

    later = (_HOUR, _HOUR + 10 * _MINUTE)
    for within, words in ((1.0, "a second"), (_MINUTE, "a minute"), (10 * _MINUTE, "ten minutes")):
        fleet = list(fetches(pods, within, later[1], lambda _now: True))
        add(f"{pods:,} pods start within {words}: until all have started", rates(fleet, 0.0, within))
        add("the refreshes one hour later, for ten minutes", rates(fleet, *later))

    outage = list(fetches(pods, 10 * _MINUTE, _AWAY_ENDS + 10 * _MINUTE, _is_there))
    add("the issuer is away for ten minutes: meanwhile", rates(outage, _AWAY_BEGINS, _AWAY_ENDS))
    add("the ten minutes after it came back", rates(outage, _AWAY_ENDS, _AWAY_ENDS + 10 * _MINUTE))
    cold = list(fetches(pods, _MINUTE, 10 * _MINUTE, lambda _now: False))
    add("the issuer is away while all pods start: the last five minutes", rates(cold, 5 * _MINUTE, 10 * _MINUTE))
    add("tokens with invented key ids reach every pod: at most", _flooded(pods))

    tier = list(fetches(tier_pods, _MINUTE, later[1], lambda _now: True))
    add(f"a tier of {tier_pods} pods instead: one hour later", rates(tier, *later))
    add("invented key ids reach every pod of the tier: at most", _flooded(tier_pods))
    return found


def markdown() -> str:
    """The table for docs/scale.md."""
    lines = [("fetches per second of one issuer", "mean", "most"), ("---", "---:", "---:"), *rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _is_there(now: float) -> bool:
    return not _AWAY_BEGINS <= now < _AWAY_ENDS


def _flooded(pods: int) -> tuple[float, int]:
    """The bound of the cool-down: each pod begins one fetch, and may begin the next when it has passed."""
    return pods / COOL_DOWN_SECONDS, pods


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m drills.fleet", description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=PODS, help="pods, each with its own sidecar (default %(default)s)")
    parser.add_argument("--tier", type=int, default=TIER_PODS, help="pods of a shared tier (default %(default)s)")
    options = parser.parse_args(arguments)
    if min(options.pods, options.tier) < 1:
        parser.error("--pods and --tier: write numbers from 1")
    print(f"{'fetches per second of one issuer':72}{'mean':>10}{'most':>10}")
    for situation, mean, most in rows(options.pods, options.tier):
        print(f"{situation:72}{mean:>10}{most:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
