"""Reduced ordered binary decision diagrams: Boolean formulas with one node for each distinct function.

Two formulas are equal if and only if their nodes are equal, so no search is needed to compare them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import reduce

MAX_DIAGRAM_NODES = 200_000
"""The most nodes of one diagram: about 60 MB. Policies of real files need under 200."""

FALSE = 0
TRUE = 1

_LEAF = 1 << 30
"""The level of the two constants: below every variable."""


class DiagramTooLarge(Exception):
    """The formula needs more than MAX_DIAGRAM_NODES nodes."""


class Diagram:
    """One order of variables, and every node made with it. Variables are ordered by their first use."""

    def __init__(self) -> None:
        self.names: list[Hashable] = []
        self._levels: dict[Hashable, int] = {}
        self._nodes: list[tuple[int, int, int]] = [(_LEAF, 0, 0), (_LEAF, 1, 1)]
        self._unique: dict[tuple[int, int, int], int] = {}
        self._chosen: dict[tuple[int, int, int], int] = {}

    def variable(self, name: Hashable) -> int:
        """The node that is true if the variable is."""
        level = self._levels.get(name)
        if level is None:
            level = self._levels[name] = len(self.names)
            self.names.append(name)
        return self._node(level, FALSE, TRUE)

    def choose(self, condition: int, then: int, otherwise: int) -> int:
        """If `condition`, then `then`, else `otherwise`. Raises DiagramTooLarge."""
        if condition in {FALSE, TRUE}:
            return then if condition else otherwise
        if then == otherwise:
            return then
        key = (condition, then, otherwise)
        found = self._chosen.get(key)
        if found is None:
            level = min(self._nodes[each][0] for each in key)
            low = self.choose(*(self._branch(each, level, 1) for each in key))
            high = self.choose(*(self._branch(each, level, 2) for each in key))
            found = self._chosen[key] = self._node(level, low, high)
        return found

    def negate(self, node: int) -> int:
        """Not `node`."""
        return self.choose(node, FALSE, TRUE)

    def all_of(self, nodes: Iterable[int]) -> int:
        """The conjunction."""
        return reduce(lambda left, right: self.choose(left, right, FALSE), nodes, TRUE)

    def any_of(self, nodes: Iterable[int]) -> int:
        """The disjunction."""
        return reduce(lambda left, right: self.choose(left, TRUE, right), nodes, FALSE)

    def at_most_one(self, nodes: list[int]) -> int:
        """At most one of the nodes is true."""
        none, one = TRUE, TRUE
        for node in reversed(nodes):
            one = self.choose(node, none, one)
            none = self.choose(node, FALSE, none)
        return one

    def least_model(self, node: int, cost: Mapping[Hashable, int]) -> frozenset[Hashable] | None:
        """The cheapest set of true variables that makes the node true. None if there is none.

        A variable costs 1 if `cost` does not name it, and nothing if it is false.
        """
        best: dict[int, tuple[int, frozenset[Hashable]] | None] = {FALSE: None, TRUE: (0, frozenset())}
        pending = [node]
        while pending:
            current = pending[-1]
            if current in best:
                pending.pop()
                continue
            level, low, high = self._nodes[current]
            missing = [each for each in (low, high) if each not in best]
            if missing:
                pending += missing
                continue
            best[current] = _cheaper(best[low], best[high], self.names[level], cost)
        found = best[node]
        return None if found is None else found[1]

    def _branch(self, node: int, level: int, side: int) -> int:
        here = self._nodes[node]
        return here[side] if here[0] == level else node

    def _node(self, level: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (level, low, high)
        found = self._unique.get(key)
        if found is None:
            if len(self._nodes) >= MAX_DIAGRAM_NODES:
                raise DiagramTooLarge
            found = self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return found


def _cheaper(
    low: tuple[int, frozenset[Hashable]] | None,
    high: tuple[int, frozenset[Hashable]] | None,
    name: Hashable,
    cost: Mapping[Hashable, int],
) -> tuple[int, frozenset[Hashable]] | None:
    if high is None:
        return low
    with_name = (high[0] + cost.get(name, 1), high[1] | {name})
    return with_name if low is None or with_name[0] < low[0] else low
