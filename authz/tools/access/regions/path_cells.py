"""The common refinement of sets of paths, some of which are sets of paths in lower case.

A prefix regardless of case is one interval of lower-case paths, but many of paths. So lower-case paths are divided
first, and each cell is compared only with the sets that have a path in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from authz.tools.access.regions.intervals import ALL, TOP, Intervals, exactly, starting_with, stretches, sweep, union
from authz.tools.access.regions.parts import LOWER, PATH
from authz.tools.access.regions.request_set import Condition, conjunction, values_of
from authz.tools.access.regions.values import Values

Paths = tuple[Intervals, Condition]
"""Intervals of paths, and a condition that can have intervals of paths in lower case."""


def path_cells(sets: Sequence[Paths]) -> Iterator[tuple[Intervals, Condition, tuple[int, ...]]]:
    """Each cell as intervals of paths and a condition on lower-case paths, with the indexes of the sets that meet it.

    A set with a condition on lower-case paths contains all of the lower-case paths of its cells.
    """
    restricted = frozenset(index for index, (_path, each) in enumerate(sets) if values_of(each, PATH).folded != ALL)
    if not restricted:
        for path, members in sweep([path for path, _condition in sets]):
            yield path, (), members
        return
    cells: dict[tuple[int, ...], tuple[list[tuple[str, str]], set[int]]] = {}
    for stretch, active in stretches([_span(each) for each in sets]):
        cell = cells.setdefault(tuple(each for each in active if each in restricted), ([], set()))
        cell[0].append(stretch)
        cell[1].update(active)
    for found, indexes in cells.values():
        condition = ((PATH, Values(folded=union(found))),)
        ordered = sorted(indexes)
        for path, inner in sweep([sets[index][0] for index in ordered]):
            yield path, condition, tuple(ordered[each] for each in inner)


def overlap_count(sets: Sequence[Paths]) -> int:
    """The number of sets on each stretch of paths, added up: about the effort to divide them."""
    has_folded = any(values_of(condition, PATH).folded != ALL for _path, condition in sets)
    changes: dict[str, int] = defaultdict(int)
    for path, condition in sets:
        for low, high in _span((path, condition)) if has_folded else path:
            changes[low] += 1
            changes[high] -= 1
    return sum(accumulate(changes[end] for end in sorted(changes)))


def merged(cells: Mapping[Condition, list[tuple[str, str]]]) -> dict[Condition, Intervals]:
    """Paths by their conditions, with as few conditions on lower-case paths as possible."""
    by_path: dict[tuple[Condition, Intervals], list[tuple[str, str]]] = {}
    for condition, found in cells.items():
        by_path.setdefault((_without_folded(condition), union(found)), []).extend(values_of(condition, PATH).folded)
    paths: dict[Condition, list[tuple[str, str]]] = {}
    for (condition, path), each in by_path.items():
        folded = union(each)
        within: Condition = () if _covers(folded, _hull(path)) else ((PATH, Values(folded=folded)),)
        paths.setdefault(conjunction(condition, within), []).extend(path)
    return {condition: union(found) for condition, found in paths.items()}


def _without_folded(condition: Condition) -> Condition:
    bare = ((part, replace(values, folded=ALL) if part == PATH else values) for part, values in condition)
    return tuple((part, values) for part, values in bare if part != PATH or values != Values())


def _span(paths: Paths) -> Intervals:
    """Intervals that contain the paths of a set in lower case."""
    path, condition = paths
    folded = values_of(condition, PATH).folded
    return _hull(path) if folded == ALL else folded


def _hull(path: Intervals) -> Intervals:
    """Intervals that contain the paths in lower case."""
    return union(each for low, high in path for each in _folded(low, high))


def _folded(low: str, high: str) -> Intervals:
    if high == f"{low}\0":
        return exactly(low.translate(LOWER))
    beginning = low.rstrip("\0")
    while beginning:
        ((_low, end),) = starting_with(beginning)
        if high <= end:
            return starting_with(beginning.translate(LOWER))
        beginning = beginning[:-1]
    return ALL


def _covers(folded: Intervals, hull: Intervals) -> bool:
    """Whether the first intervals contain the second ones."""
    for low, high in hull:
        index = bisect_right(folded, (low, TOP)) - 1
        if index < 0 or high > folded[index][1]:
            return False
    return True
