"""Keep pauses of Python's garbage collector out of the checks.

Checks create no reference cycles (tests/server/test_check.py), so the collector finds nothing among their objects. But
it counts them, and the verified tokens that stay would make it walk all objects of the process from time to time:
70,000 that live as long as the worker, and the token cache. `python -m bench.pauses` measures what calls wait for.
"""

from __future__ import annotations

import gc

THRESHOLDS = (350, 1, 500)
"""When each generation is collected (`gc.set_threshold`). Small collections often: with Python's 700, 10 and 10, a new
token waits for 5 ms at times, and for 15 ms if the collector walks the token cache. Only fetches create cycles. They
are rare, and nearly all of their cycles are found while they are young."""


def set_aside() -> None:
    """Collect what the last configuration left, and hide everything else from the collector."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
