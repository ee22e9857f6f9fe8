"""The common refinement of two lists of regions: every pair of regions that have a request in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from authz.tools.access.regions.filter_forms import filter_difference
from authz.tools.access.regions.intervals import ALL, Intervals, sweep
from authz.tools.access.regions.languages import TooMuchEffort
from authz.tools.access.regions.path_cells import merged, path_cells
from authz.tools.access.regions.region import Region
from authz.tools.access.regions.request_set import Box, Condition, RequestSet, conjunction, difference

_Place = tuple[str, Intervals]
_Found = dict[tuple[int | None, int | None], dict[_Place, dict[Condition, list[tuple[str, str]]]]]

MOVED = "the listener's filter chains, or how it reads hosts and paths, differ between the configurations"


def overlaps(old: list[Region], new: list[Region]) -> Iterator[tuple[RequestSet, Region | None, Region | None]]:
    """Every pair of an old and a new region with the requests of both. The sets are disjoint.

    None means that no route matches: Envoy answers 404. Requests that match no route on both sides are left out.
    """
    before, after = _entrances(old), _entrances(new)
    common = {each.listener for each in old} & {each.listener for each in new}
    old_boxes, new_boxes = _boxes(old), _boxes(new)
    found: _Found = {}
    for entrance in dict.fromkeys((*old_boxes, *new_boxes)):
        _refine(entrance, old_boxes.get(entrance, []), new_boxes.get(entrance, []), found)
    for (first, second), places in found.items():
        boxes = (
            Box(name, host, path, condition)
            for (name, host), cells in places.items()
            for condition, path in merged(cells).items()
        )
        requests = RequestSet(boxes)
        if not requests:
            continue
        one = old[first] if first is not None else None
        other = new[second] if second is not None else None
        entrance = requests.boxes[0].entrance
        why = requests.undecided or _change_of_entrance(before.get(entrance), after.get(entrance), common)
        yield requests, _doubted(one, why), _doubted(other, why)


def _doubted(region: Region | None, why: str | None) -> Region | None:
    if region is None or why is None or region.undecided is not None:
        return region
    return replace(region, undecided=why)


def _entrances(regions: list[Region]) -> dict[str, Region]:
    """One region of each entrance: all have the same listener, group and filters."""
    return {box.entrance: region for region in regions for box in region.requests.boxes[:1]}


def _change_of_entrance(old: Region | None, new: Region | None, common: set[str]) -> str | None:
    """Why the way to the routes is not the same in both configurations. None if it is."""
    if old is None or new is None:
        one = old or new
        return MOVED if one is not None and one.listener in common else None
    return MOVED if old.entrance_group != new.entrance_group else filter_difference(old.filters, new.filters)


def _boxes(regions: list[Region]) -> dict[str, list[tuple[int, Box]]]:
    found: dict[str, list[tuple[int, Box]]] = {}
    for index, region in enumerate(regions):
        for box in region.requests.boxes:
            found.setdefault(box.entrance, []).append((index, box))
    return found


def _refine(entrance: str, old: list[tuple[int, Box]], new: list[tuple[int, Box]], found: _Found) -> None:
    every = [*((index, box, False) for index, box in old), *((index, box, True) for index, box in new)]
    by_host: dict[Intervals, list[int]] = {}
    for number, (_index, box, _is_new) in enumerate(every):
        by_host.setdefault(box.host, []).append(number)
    for host, members in sweep(list(by_host)):
        hosts = list(by_host)
        numbers = sorted(number for member in members for number in by_host[hosts[member]])
        for path, within, inner in path_cells([(every[each][1].path, every[each][1].condition) for each in numbers]):
            cell = [every[numbers[each]] for each in inner]
            olds = [(index, conjunction(within, box.condition)) for index, box, is_new in cell if not is_new]
            news = [(index, conjunction(within, box.condition)) for index, box, is_new in cell if is_new]
            for first, second, condition in _pairs(host, path, olds, news):
                cells = found.setdefault((first, second), {}).setdefault((entrance, host), {})
                cells.setdefault(condition, []).extend(path)


def _pairs(
    host: Intervals, path: Intervals, olds: list[tuple[int, Condition]], news: list[tuple[int, Condition]]
) -> Iterator[tuple[int | None, int | None, Condition]]:
    """The overlaps of the conditions of one cell.

    The conditions of a side are disjoint, so one that both sides have overlaps no other.
    """
    same = {condition: second for second, condition in news}
    equal = {condition for _first, condition in olds if condition in same}
    for first, one in olds:
        if one in equal:
            yield first, same[one], one
    olds = [each for each in olds if each[1] not in equal]
    news = [each for each in news if each[1] not in equal]
    for first, one in olds:
        for second, other in news:
            common = conjunction(one, other)
            if not _is_empty_cell(host, path, common):
                yield first, second, common
    for first, one in olds:
        for rest in _rest(host, path, one, news):
            yield first, None, rest
    for second, other in news:
        for rest in _rest(host, path, other, olds):
            yield None, second, rest


def _rest(host: Intervals, path: Intervals, one: Condition, others: list[tuple[int, Condition]]) -> list[Condition]:
    left = [one]
    for _index, other in others:
        left = [each for rest in left for each in difference(rest, other) if not _is_empty_cell(host, path, each)]
    return left


def _is_empty_cell(host: Intervals, path: Intervals, condition: Condition) -> bool:
    if not condition:
        return False
    try:
        return Box("", host or ALL, path, condition).is_empty()
    except TooMuchEffort:
        return False
