"""The order of the routes of one virtual host: routes that no request reaches, and routes that take from narrower ones.

Only matchers that are modelled take a request here, so "never reached" is certain. Routes with other matchers, and
those whose comparison costs too much, are named in `undecided`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from authz.tools.access.regions.intervals import ALL, Intervals, both, complement
from authz.tools.access.regions.languages import TooMuchEffort
from authz.tools.access.regions.parts import HOST, PATH
from authz.tools.access.regions.path_cells import overlap_count, path_cells
from authz.tools.access.regions.request_set import Box, Condition, conjunction, difference, is_separate, values_of
from authz.tools.access.regions.route_conditions import RouteCondition
from authz.tools.access.regions.text_reader import SEARCHES
from authz.tools.access.regions.values import ANY_TEXT, Values, everything, is_empty

MAX_OVERLAPPING = 100
"""Routes on one path that are compared with each other. Further ones on this path are undecided."""
MAX_COMPARISONS = 500_000
"""Comparisons for one configuration. 50,000 routes on paths of their own, and one for the rest, take 200,000."""
MAX_SEARCH_STEPS = 100_000
"""Steps through automata for one configuration. They take about a second."""
MAX_PIECES = 200
"""Disjoint conditions of the requests on one path that no route has taken yet."""


@dataclass(frozen=True, slots=True)
class RouteOrder:
    """Findings about the order. Routes are given by their index."""

    takers: Mapping[int, tuple[int, ...]]
    """For each route that no request reaches, the earlier routes that take its requests."""
    broader: Mapping[int, tuple[int, ...]]
    """For each route, the earlier routes that match more paths and take a part of its requests."""
    undecided: frozenset[int]
    """Routes that were not compared with all others."""


class Effort:
    """What is left of the comparisons and steps for one configuration."""

    def __init__(self, comparisons: int = MAX_COMPARISONS, steps: int = MAX_SEARCH_STEPS) -> None:
        self._comparisons = comparisons
        self._last_step = SEARCHES.steps + steps

    def is_spent(self, comparisons: int) -> bool:
        """Count these comparisons. Return whether there were too many, or too many steps."""
        self._comparisons -= comparisons
        return self._comparisons < 0 or self._last_step < SEARCHES.steps


def route_order(routes: Sequence[RouteCondition], effort: Effort) -> RouteOrder:
    """Compare the routes of one virtual host, in the order in which Envoy tries them."""
    walk = _Walk(routes)
    sets = [(each.path, each.condition) for each in routes]
    if effort.is_spent(overlap_count(sets)):
        return RouteOrder({}, {}, frozenset(range(len(routes))))
    for path, within, members in path_cells(sets):
        if effort.is_spent(walk.visit(path, within, members)):
            return RouteOrder({}, {}, frozenset(range(len(routes))))
    return walk.result()


class _Walk:
    """What is known after some stretches of the paths."""

    def __init__(self, routes: Sequence[RouteCondition]) -> None:
        self._routes = routes
        self._reached: set[int] = set()
        self._takers: dict[int, set[int]] = {}
        self._broader: dict[int, set[int]] = {}
        self._possible: dict[Condition, bool] = {}
        self._is_broader: dict[tuple[int, int], bool] = {}
        # Only paths that start with a slash are modelled.
        self._undecided = {index for index, each in enumerate(routes) if each.unknown or not each.path}

    def result(self) -> RouteOrder:
        """What is known after all stretches."""
        takers = {
            index: tuple(sorted(found)) for index, found in self._takers.items() if found and index not in self._reached
        }
        broader = {index: tuple(sorted(found)) for index, found in self._broader.items()}
        return RouteOrder(takers, broader, frozenset(self._undecided))

    def visit(self, path: Intervals, within: Condition, members: tuple[int, ...]) -> int:
        """Walk through the routes that match these paths, and return the number of comparisons."""
        if len(members) > MAX_OVERLAPPING:
            self._leave(members[MAX_OVERLAPPING:])
        left: list[Condition] = [within]
        taken: dict[int, list[Condition]] = {}
        comparisons = 0
        for position, index in enumerate(members[:MAX_OVERLAPPING]):
            route = self._routes[index]
            mine = [conjunction(each, route.condition) for each in left]
            comparisons += 1 + len(left) + len(taken)
            self._compare(index, path, mine, taken)
            if route.unknown:
                continue
            if mine:
                taken[index] = mine
            if not route.condition:
                left = []
            left = [rest for each in left for rest in difference(each, route.condition)]
            if len(left) > MAX_PIECES:
                self._leave(members[position + 1 :])
                break
        return comparisons

    def _leave(self, members: tuple[int, ...]) -> None:
        self._undecided.update(members)
        self._reached.update(members)

    def _compare(self, index: int, path: Intervals, mine: list[Condition], taken: dict[int, list[Condition]]) -> None:
        """Compare a route with the routes that take requests on these paths before it."""
        if index not in self._reached and any(self._is_possible(index, path, each) for each in mine):
            self._reached.add(index)
            self._takers.pop(index, None)
        is_reached = index in self._reached
        for other, conditions in taken.items():
            is_wanted = not is_reached and other not in self._takers.get(index, ())
            may_be_broader = other not in self._broader.get(index, ()) and self._matches_more(other, index)
            if (is_wanted or may_be_broader) and self._meet(index, path, conditions):
                if not is_reached:
                    self._takers.setdefault(index, set()).add(other)
                if may_be_broader and index not in self._undecided:
                    self._broader.setdefault(index, set()).add(other)

    def _meet(self, index: int, path: Intervals, conditions: list[Condition]) -> bool:
        """Whether a request that another route takes also matches this route."""
        wanted = self._routes[index].condition
        return any(self._is_possible(index, path, conjunction(each, wanted)) for each in conditions)

    def _is_possible(self, index: int, path: Intervals, condition: Condition) -> bool:
        """Whether some request has such a path and meets a condition. The route is undecided if that takes long."""
        try:
            if is_separate(condition):
                return not is_empty(PATH, Values(path)) and self._can_hold(condition)
            return not Box("", everything(HOST).intervals, path, condition).is_empty()
        except TooMuchEffort:
            self._undecided.add(index)
            return True

    def _can_hold(self, condition: Condition) -> bool:
        """Whether each part can have a value. Many routes have one condition."""
        if condition not in self._possible:
            self._possible[condition] = not any(is_empty(part, values) for part, values in condition)
        return self._possible[condition]

    def _matches_more(self, one: int, other: int) -> bool:
        """Whether a route matches every path of another one, and more."""
        if (one, other) not in self._is_broader:
            try:
                found = _has_more_paths(self._routes[one], self._routes[other])
            except TooMuchEffort:
                found = False
                self._undecided.add(other)
            self._is_broader[one, other] = found
        return self._is_broader[one, other]


def _has_more_paths(one: RouteCondition, other: RouteCondition) -> bool:
    """Whether the paths of the second route are a part of those of the first. Raises TooMuchEffort.

    A route without any condition is left out: it takes all requests of the second one, which is never reached then.
    """
    are_plain = ANY_TEXT is values_of(one.condition, PATH) is values_of(other.condition, PATH)
    if not one.condition or (are_plain and one.path == other.path):
        return False
    if values_of(other.condition, PATH).folded == ALL and both(other.path, complement(one.path)):
        return False
    if are_plain:
        return True
    outer, inner = _paths(one), _paths(other)
    return not _has_others(inner, outer) and _has_others(outer, inner)


def _paths(route: RouteCondition) -> Values:
    values = values_of(route.condition, PATH)
    return replace(values, intervals=both(route.path, values.intervals))


def _has_others(one: Values, other: Values) -> bool:
    """Whether the first set has a path that is not in the second one. Raises TooMuchEffort."""
    return any(not is_empty(PATH, each) for each in one.without(other))
