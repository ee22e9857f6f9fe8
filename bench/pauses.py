"""How long a new token waits when Python frees memory: `python -m bench.pauses`.

CPU time of checks of ever new tokens, one by one and without a server. The median is the check. The longest are those
that paid for the garbage collector, or for the tokens that left the cache.
"""

from __future__ import annotations

import gc
from time import process_time, time

from authz.core.check import decide
from authz.server import long_lived
from bench.inside import rules_of
from bench.place import Place, place
from bench.plan import QUICK

ROUNDS = 3
"""Times that all tokens are sent: each time, all have left the cache before."""


def main() -> None:
    with place(QUICK) as here:
        _print("with Python's thresholds", here)
        long_lived.set_aside()
        _print("as in a worker", here)
        gc.disable()
        _print("without a collector", here)


def _print(name: str, here: Place) -> None:
    times = sorted(_times(here))
    picked = ", ".join(f"{label} {times[int((len(times) - 1) * part)]:,.0f} us" for label, part in _PARTS)
    print(f"{name}: {picked}")


_PARTS = (("median", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0))


def _times(here: Place) -> list[float]:
    rules, now, times = rules_of(here.authz()), time(), []
    for _ in range(ROUNDS):
        for message in here.messages:
            began = process_time()
            rules.renderer.render(decide(rules, message, now, may_wait=False))
            times.append((process_time() - began) * 1e6)
    return times


if __name__ == "__main__":
    main()
