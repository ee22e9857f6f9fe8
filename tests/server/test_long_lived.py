"""What the garbage collector of a worker still walks."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from authz.server.long_lived import THRESHOLDS, set_aside


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_objects_set_aside_are_not_walked_and_newer_ones_are() -> None:
    old = [_Cycle()]
    set_aside()
    new = [_Cycle()]

    walked = gc.get_objects()

    assert not any(each is old for each in walked)
    assert any(each is new for each in walked)
    assert gc.get_threshold() == THRESHOLDS


def test_what_a_reload_leaves_is_collected_although_it_was_set_aside() -> None:
    rules = _Cycle()
    left = ref(rules)
    set_aside()
    del rules
    gc.collect()
    assert left() is not None

    set_aside()

    assert left() is None


def test_a_cycle_made_later_is_collected() -> None:
    set_aside()
    left = ref(_Cycle())

    gc.collect()

    assert left() is None
