"""The order of routes and the strength of policies, computed by the modules of `authz access`.

Where they cannot decide, the rules compare texts and coarse strengths instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING

from authz.core.configuration import Configuration
from authz.core.policy import Policy
from authz.core.reasons import Denied
from authz.envoy.fields import Fields
from authz.tools.access.regions.authority import authority_name
from authz.tools.access.regions.intervals import ALL
from authz.tools.access.regions.request_target import target_name
from authz.tools.access.regions.route_conditions import RouteCondition, route_condition
from authz.tools.access.regions.route_order import Effort, RouteOrder, route_order

if TYPE_CHECKING:
    from authz.tools.access.relation import Relation
    from authz.tools.lint.envoy_config import LintRoute

MAX_EXPRESSIONS = 50_000
"""Characters of the regular expressions of one configuration, with counted repetitions written out."""
MAX_POLICY_PAIRS = 1000
"""Pairs of policies of one configuration that are compared. A pair takes about a millisecond."""

_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_PLAIN = frozenset({"prefix", "path", "path_separated_prefix", "pathSeparatedPrefix", "case_sensitive"})
"""Fields without an expression."""
_TOO_MANY = RouteCondition(ALL, (), ("an expression after too many others",))


class ComputedOrder:
    """The answers for one configuration. Each is computed once."""

    def __init__(self, configuration: Configuration | None, find_policy: Callable[[str], Policy]) -> None:
        self._configuration = configuration
        self._find_policy = find_policy
        self._effort = Effort()
        self._expressions = MAX_EXPRESSIONS
        self._orders: dict[tuple[LintRoute, ...], RouteOrder] = {}
        self._relations: dict[tuple[str, str], Relation | None] = {}

    def of(self, routes: tuple[LintRoute, ...]) -> RouteOrder:
        """The order of the routes of one virtual host."""
        if routes not in self._orders:
            self._orders[routes] = route_order([self._condition(each) for each in routes], self._effort)
        return self._orders[routes]

    def _condition(self, route: LintRoute) -> RouteCondition:
        self._expressions -= sum(map(_length, _expressions(route.match.fields)))
        if self._expressions < 0:
            return _TOO_MANY
        target = target_name(ignores_parameters=route.table.raw("ignore_path_parameters_in_path_matching") is True)
        authority = authority_name(ignores_port=route.table.raw("ignore_port_in_host_matching") is True)
        return route_condition(route.match.fields, target, authority)

    def relation(self, old: LintRoute, new: LintRoute) -> Relation | None:
        """How the tokens that the policies of two routes admit differ. None if that cannot be decided."""
        texts = old.only_policy, new.only_policy
        if self._configuration is None or texts[0] is None or texts[1] is None:
            return None
        key = texts[0], texts[1]
        if key not in self._relations and len(self._relations) < MAX_POLICY_PAIRS:
            self._relations[key] = self._compare(self._configuration, *key)
        return self._relations.get(key)

    def _compare(self, configuration: Configuration, old: str, new: str) -> Relation | None:
        from authz.tools.access.relation import PolicyComparison  # noqa: PLC0415 - slow to import

        try:
            policies = self._find_policy(old), self._find_policy(new)
        except Denied:
            return None
        found = PolicyComparison(configuration, configuration).relation(*policies)
        return None if found.undecided else found


def _expressions(match: Fields) -> Iterator[str]:
    if not match.value.keys() <= _PLAIN:
        yield from (each.text("regex") for each in match.inside() if "regex" in each.value)


def _length(expression: str) -> int:
    """About the states of the automaton of an expression."""
    counts = (int(high or low) for low, high in _REPETITION.findall(expression[:MAX_EXPRESSIONS]))
    return len(expression) * prod(max(1, min(each, MAX_EXPRESSIONS)) for each in counts)
