"""Print the figures of docs/access.md: pairs that are compared wrongly, time and memory at scale.

python -m tests.access.measure --pairs 50   # fewer pairs: a first look
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from random import Random

from authz.tools.access.envoy_confirmation import Confirmation, confirm_all
from authz.tools.access.loaded_file import load
from authz.tools.access.region_changes import changes
from tests.access.generated_files import random_plan
from tests.access.generated_pairs import (
    KINDS,
    Compared,
    compared,
    planted,
    wrong_in_narrowing,
    wrong_in_other_form,
    wrong_in_widening,
)
from tests.access.other_forms import FORMS, in_other_form
from tests.access.planted_kind import Kind

PAIRS = 500
TOGETHER = 25
"""Pairs in one Envoy."""
ROUTES = 1000
POLICIES = 100


def main() -> int:
    """Print each figure. Return 1 if one is not as docs/access.md says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="generated pairs of each of the three sorts")
    pairs = parser.parse_args().pairs
    wrong = _planted(pairs) + _narrowed(pairs) + _in_other_form(pairs)
    seconds = _scale()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    _say(f"{ROUTES} routes, {POLICIES} policies: two files read and compared in {seconds:.1f} s of CPU time")
    _say(f"peak memory of all of this: {peak} MB")
    return 1 if wrong else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _cpu_seconds() -> float:
    """Of this process and of each Envoy that has ended."""
    return sum(os.times()[:4])


def _kind(number: int) -> Kind:
    return KINDS[number % len(KINDS)]


def _planted(pairs: int) -> int:
    """Compare pairs with a planted widening, and send each example through real Envoy."""
    wrong = widenings = shown = denied = 0
    started, in_envoy = _cpu_seconds(), 0.0
    for first in range(0, pairs, TOGETHER):
        results: list[Compared] = []
        for number in range(first, min(first + TOGETHER, pairs)):
            pair = planted(_kind(number), number)
            results.append(compared(pair.old, pair.new))
            wrong += _report(pair.kind, number, list(wrong_in_widening(pair, results[-1])))
        before = _cpu_seconds()
        confirmations = confirm_all([(each.old, each.new, each.found) for each in results])
        in_envoy += _cpu_seconds() - before
        widenings += sum(change.relation.wider is not None for each in results for change in each.found)
        shown += len(confirmations)
        denied += _report("Envoy", first, [_words(each) for each in confirmations if not each.holds])
    kinds = min(pairs, len(KINDS))
    _say(f"{pairs} pairs with a planted widening of {kinds} kinds: {wrong} missed, undecided or wrongly narrower")
    _say(f"{shown} of their {widenings} examples sent through real Envoy: {denied} not confirmed")
    _say(f"CPU time of all of this: {_cpu_seconds() - started:.0f} s, of which Envoy and its requests {in_envoy:.0f} s")
    return wrong + denied + widenings - shown


def _narrowed(pairs: int) -> int:
    wrong = 0
    pure = [kind for kind in KINDS if not kind.is_mixed]
    for number in range(pairs):
        kind = pure[number % len(pure)]
        pair = planted(kind, PAIRS + number, is_pure=True)
        wrong += _report(kind.name, number, list(wrong_in_narrowing(pair, compared(pair.new, pair.old))))
    _say(f"{pairs} pairs with a planted narrowing of {min(pairs, len(pure))} kinds: {wrong} missed, undecided or wider")
    return wrong


def _in_other_form(pairs: int) -> int:
    wrong = 0
    names = tuple(FORMS)
    for number in range(pairs):
        random = Random(number)  # noqa: S311 - not a secret
        plan, name = random_plan(random), names[number % len(names)]
        found = list(wrong_in_other_form(compared(plan, in_other_form(plan, name, random))))
        wrong += _report(name, number, found)
    _say(f"{pairs} pairs that differ in form only, of {min(pairs, len(names))} forms: {wrong} not reported as equal")
    return wrong


def _report(name: str, number: int, problems: list[str]) -> int:
    """Print what is wrong with a pair on standard error. Return how many pairs that is, 0 or 1, or examples."""
    for each in problems:
        sys.stderr.write(f"{name}, pair {number}: {each}\n")
    return len(problems) if name == "Envoy" else bool(problems)


def _words(each: Confirmation) -> str:
    return f"not confirmed: {each.old}, {each.new}: {each.change.requests.describe()}: {each.change.relation.wider}"


def _scale() -> float:
    random = Random(0)  # noqa: S311 - not a secret
    plan = random_plan(random, ROUTES, POLICIES)
    text = plan.text()
    plan.hosts[0].routes[ROUTES // 2] = (plan.hosts[0].routes[ROUTES // 2][0], "public")
    changed = plan.text()
    started = time.process_time()
    list(changes(load(text, "old"), load(changed, "new")))
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
