"""Sets of strings as sorted, disjoint, half-open intervals in the order of their code points.

A prefix is one interval and an exact text is another, so these sets are closed under union, intersection and
complement, and each operation takes time linear in the number of intervals.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

Intervals = tuple[tuple[str, str], ...]

_LAST = "\U0010ffff"
TOP = _LAST * 2
"""An upper bound. No request contains this noncharacter twice."""
ALL: Intervals = (("", TOP),)
NONE: Intervals = ()


def exactly(text: str) -> Intervals:
    """The set with one text."""
    return ((text, f"{text}\0"),)


def starting_with(prefix: str) -> Intervals:
    """The texts with a prefix."""
    return ((prefix, _after(prefix)),)


def _after(prefix: str) -> str:
    stem = prefix.rstrip(_LAST)
    return stem[:-1] + chr(ord(stem[-1]) + 1) if stem else TOP


def complement(one: Intervals) -> Intervals:
    """Every other text."""
    found = []
    low = ""
    for start, end in one:
        if low < start:
            found.append((low, start))
        low = end
    if low < TOP:
        found.append((low, TOP))
    return tuple(found)


def both(one: Intervals, other: Intervals) -> Intervals:
    """The texts in both sets."""
    if one in (ALL, other):
        return other
    if other == ALL:
        return one
    found = []
    first = second = 0
    while first < len(one) and second < len(other):
        low = max(one[first][0], other[second][0])
        high = min(one[first][1], other[second][1])
        if low < high:
            found.append((low, high))
        if one[first][1] <= other[second][1]:
            first += 1
        else:
            second += 1
    return tuple(found)


def minus(one: Intervals, other: Intervals) -> Intervals:
    """The texts in the first set only."""
    return both(one, complement(other))


def union(intervals: Iterable[tuple[str, str]]) -> Intervals:
    """The texts in any of these intervals, which can be in any order."""
    found: list[tuple[str, str]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        elif low < high:
            found.append((low, high))
    return tuple(found)


def contains(one: Intervals, text: str) -> bool:
    """Whether a text is in the set."""
    index = bisect_right(one, (text, TOP)) - 1
    return index >= 0 and one[index][0] <= text < one[index][1]


def sweep(sets: Sequence[Intervals]) -> Iterator[tuple[Intervals, tuple[int, ...]]]:
    """The common refinement: each cell, and the indexes of the sets that contain it. Cells in no set are left out."""
    cells: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for stretch, members in stretches(sets):
        cells.setdefault(tuple(members), []).append(stretch)
    for indexes, found in cells.items():
        yield union(found), indexes


def stretches(sets: Sequence[Intervals]) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """Each stretch between two neighbouring ends, and the indexes of the sets that contain it, if there are any.

    Walks over the ends of all intervals once, so sets that share no text are never compared. The list of indexes
    changes with the next stretch.
    """
    ends = sorted(
        (text, index, is_start)
        for index, each in enumerate(sets)
        for interval in each
        for text, is_start in zip(interval, (True, False), strict=True)
    )
    active: list[int] = []
    low = ""
    for text, changes in groupby(ends, key=itemgetter(0)):
        if active:
            yield (low, text), active
        for _text, index, is_start in changes:
            if is_start:
                insort(active, index)
            else:
                active.remove(index)
        low = text
