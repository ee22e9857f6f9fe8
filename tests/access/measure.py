"""Print the figures of docs/access.md: pairs that are compared wrongly, time and memory at scale."""

from __future__ import annotations

import resource
import sys
import time
from random import Random

from authz.tools.access.envoy_confirmation import confirm
from authz.tools.access.loaded_file import load
from authz.tools.access.region_changes import changes
from authz.tools.access.relation import Change
from tests.access.generated_files import random_plan, rewritten, widened

PAIRS = 500
ENVOY_PAIRS = 20
ROUTES = 1000
POLICIES = 100


def main() -> int:
    """Print each figure. Return 1 if one is not as docs/access.md says."""
    missed = wrongly_wider = undecided = 0
    for seed in range(PAIRS):
        random = Random(seed)  # noqa: S311 - not a secret
        plan = random_plan(random)
        old = load(plan.text(), "old")
        found = list(changes(old, load(widened(plan, random)[1].text(), "new")))
        missed += not any(each.relation.wider is not None for each in found)
        undecided += sum(bool(each.relation.undecided) for each in found)
        same = changes(old, load(rewritten(plan, random).text(), "new"))
        wrongly_wider += any(each.change is not Change.EQUAL for each in same)
    print(f"{PAIRS} pairs with a planted widening: {missed} missed, {undecided} regions undecided")  # noqa: T201
    print(f"{PAIRS} pairs that differ in form only: {wrongly_wider} not reported as equal")  # noqa: T201
    shown, denied = _confirmed()
    print(f"{shown} examples of {ENVOY_PAIRS} pairs sent through real Envoy: {denied} not confirmed")  # noqa: T201
    seconds = _scale()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{ROUTES} routes, {POLICIES} policies: two files read and compared in {seconds:.1f} s of CPU time")  # noqa: T201
    print(f"peak memory of all of this: {peak} MB")  # noqa: T201
    return 1 if missed or wrongly_wider or denied else 0


def _confirmed() -> tuple[int, int]:
    shown = denied = 0
    for seed in range(ENVOY_PAIRS):
        random = Random(seed)  # noqa: S311 - not a secret
        plan = random_plan(random)
        old, new = load(plan.text(), "old"), load(widened(plan, random)[1].text(), "new")
        results = confirm(old, new, list(changes(old, new)))
        shown += len(results)
        denied += sum(not each.holds for each in results)
    return shown, denied


def _scale() -> float:
    random = Random(0)  # noqa: S311 - not a secret
    plan = random_plan(random, ROUTES, POLICIES)
    texts = plan.text(), widened(plan, random)[1].text()
    started = time.process_time()
    list(changes(load(texts[0], "old"), load(texts[1], "new")))
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
