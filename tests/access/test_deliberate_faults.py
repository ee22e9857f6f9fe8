"""The figures of `make access` are zero because the pairs notice faults, not because nothing is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random

import pytest

from tests.access.deliberate_faults import FAULTS, Fault
from tests.access.generated_files import Plan, random_plan
from tests.access.generated_pairs import (
    KINDS,
    Pair,
    compared,
    planted,
    wrong_in_narrowing,
    wrong_in_other_form,
    wrong_in_widening,
)
from tests.access.other_forms import in_other_form

SEEDS = 5
"""Pairs of the kind that are tried."""

Compare = Callable[[], Iterable[str]]


def _pairs(fault: Fault) -> Iterator[Compare]:
    """Comparisons of pairs of the kind or form. Each returns what is wrong."""
    kind = next((each for each in KINDS if each.name == fault.kind), None)
    for seed in range(SEEDS):
        if kind is None:
            random = Random(seed)  # noqa: S311 - not a secret
            plan = random_plan(random)
            yield partial(_in_other_form, plan, in_other_form(plan, fault.form, random))
        else:
            pair = planted(kind, seed, is_pure=fault.is_narrowing)
            yield partial(_narrowed if fault.is_narrowing else _widened, pair)


def _in_other_form(plan: Plan, other: Plan) -> Iterable[str]:
    return wrong_in_other_form(compared(plan, other))


def _widened(pair: Pair) -> Iterable[str]:
    return wrong_in_widening(pair, compared(pair.old, pair.new))


def _narrowed(pair: Pair) -> Iterable[str]:
    return wrong_in_narrowing(pair, compared(pair.new, pair.old))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_the_comparison_is_noticed_by_a_generated_pair(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for compare in _pairs(fault):
        with monkeypatch.context() as patch:
            fault.put_into(patch)
            found = list(compare())
        if found:
            assert list(compare()) == []  # it is the fault that was noticed
            return
    pytest.fail(f"{SEEDS} pairs do not notice it")
