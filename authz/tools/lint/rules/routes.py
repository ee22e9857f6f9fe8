"""The order and the matches of routes: requests that get another policy than intended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from authz.tools.lint.envoy_config import DEMANDING, DENY, EnvoyConfig, LintRoute
from authz.tools.lint.route_index import RouteIndex
from authz.tools.lint.rule import Found, Severity, rule

_SEPARATED = re.compile(r"[^?#]+[^?#/]")
"""What Envoy takes as `path_separated_prefix`: the pattern of RouteMatch in its API."""

_MAX_LINES = 3
"""Lines that a finding names."""


def _hosts(envoy: EnvoyConfig) -> Iterator[tuple[LintRoute, ...]]:
    """The routes of each virtual host, in the order of matching."""
    for manager in envoy.managers:
        if manager.authz is not None:
            yield from manager.hosts


@lru_cache(maxsize=4)
def _index(routes: tuple[LintRoute, ...]) -> RouteIndex:
    return RouteIndex([route.match for route in routes])


@rule("AUTHZ401", Severity.ERROR, "a route is never reached")
def unreachable(envoy: EnvoyConfig) -> Iterator[Found]:
    """Envoy takes the first route that matches. If earlier routes match everything that a route matches, it is dead,
    and so is its policy.
    """
    for routes in _hosts(envoy):
        known, order = _index(routes), envoy.computed_order.of(routes)
        for index in sorted(order.takers.keys() | order.undecided):
            route, first = routes[index], known.first_cover(index)
            found = (first,) if first is not None else order.takers.get(index, ())
            if found:
                problem = f"every request that matches here is taken by {_named(envoy, routes, found)}"
                before = "that one" if len(found) == 1 else "those"
                yield Found(route.fields.path, problem, f"Put this route before {before}, or remove it.")


def _named(envoy: EnvoyConfig, routes: tuple[LintRoute, ...], indexes: tuple[int, ...]) -> str:
    lines = [str(envoy.document.locate(routes[each].fields.path).line) for each in indexes[:_MAX_LINES]]
    more = [f"{len(indexes) - _MAX_LINES} more"] if len(indexes) > _MAX_LINES else []
    *others, last = lines + more
    return f"the routes in lines {', '.join(others)} and {last}" if others else f"the route in line {last}"


@rule("AUTHZ402", Severity.ERROR, "a weaker route takes a part of a stronger one")
def weaker_first(envoy: EnvoyConfig) -> Iterator[Found]:
    """A broad route with a condition, such as a method, comes before a narrow route whose policy refuses tokens that
    the broad one admits. When the condition matches, the policy of the narrow route is not applied.
    """
    for routes in _hosts(envoy):
        for other, route in _taken_parts(envoy, routes):
            line = envoy.document.locate(route.fields.path).line
            problem = f"this weaker route takes requests that the one in line {line} protects"
            yield Found(other.fields.path, problem, "Put the narrower route first.")


def _taken_parts(envoy: EnvoyConfig, routes: tuple[LintRoute, ...]) -> Iterator[tuple[LintRoute, LintRoute]]:
    """Each broad route that is weaker than a narrow one after it, with the narrow one."""
    known, order = _index(routes), envoy.computed_order.of(routes)
    for index, route in enumerate(routes):
        # A single taker leaves nothing of the route: that is another finding.
        computed = () if len(order.takers.get(index, ())) == 1 else order.broader.get(index, ())
        found = {each for each in computed if _admits_others(envoy, routes[each], route)}
        for each in known.other_paths_before(index) if order.undecided else ():
            if not order.undecided.isdisjoint((each, index)) and _takes_part_of(routes[each], route):
                found.add(each)
        yield from ((routes[each], route) for each in sorted(found))


def _takes_part_of(other: LintRoute, route: LintRoute) -> bool:
    """Whether the texts of two routes show that one takes a part of a narrower, stronger one."""
    if not _is_weaker(other, route):
        return False
    apart = other.match.methods and route.match.methods and other.match.methods != route.match.methods
    return not apart and not other.match.covers(route.match)


def _admits_others(envoy: EnvoyConfig, one: LintRoute, than: LintRoute) -> bool:
    """Whether a route lets a token through to the upstream that the other route refuses."""
    if one.answers_itself:
        return False
    relation = envoy.computed_order.relation(than, one)
    return _is_weaker(one, than) if relation is None else relation.wider is not None


@rule("AUTHZ403", Severity.ERROR, "the other methods of a path fall to something weaker")
def method_gap(envoy: EnvoyConfig) -> Iterator[Found]:
    """A route for GET says nothing about POST: other methods go on to the next route that matches, and that one admits
    everything that this one admits, and more.
    """
    for routes in _hosts(envoy):
        known = _index(routes)
        for index, route in enumerate(routes):
            after = known.next_unconditional(index) if route.match.methods else None
            following = routes[after] if after is not None else None
            if following is not None and _admits_more(envoy, following, route):
                line = envoy.document.locate(following.fields.path).line
                (method,) = route.match.methods
                problem = f"methods other than {method} fall to the weaker route in line {line}"
                yield Found(
                    route.fields.path, problem, "Add a route for the path without a method, with `policy: deny`."
                )


def _admits_more(envoy: EnvoyConfig, one: LintRoute, than: LintRoute) -> bool:
    """Whether a route admits all that the other admits and more, or demands less at the first look."""
    relation = envoy.computed_order.relation(than, one)
    if relation is None:
        return _is_weaker(one, than)
    return relation.wider is not None and (relation.narrower is None or _is_weaker(one, than))


def _is_weaker(one: LintRoute, than: LintRoute) -> bool:
    return one.strength is not None and than.strength is not None and one.strength < than.strength


@rule("AUTHZ404", Severity.WARNING, "a prefix matches more than its path")
def prefix_of_a_word(envoy: EnvoyConfig) -> Iterator[Found]:
    """`prefix: /orders` matches `/orders-archive` and `/ordersX` too: a path that is added to the service one day gets
    this policy by accident.
    """
    for routes in _hosts(envoy):
        for route in routes:
            kind, text = route.match.path
            if kind == "prefix" and not text.endswith("/") and "?" not in text and route.strength != DENY:
                problem = f"the prefix {text!r:.80} also matches `{text:.40}X`"
                fix = f"Write `path_separated_prefix: {text:.80}`."
                yield Found(route.match.fields.where("prefix"), problem, fix, on_key=True)


@rule("AUTHZ405", Severity.WARNING, "what no route names is not denied")
def open_rest(envoy: EnvoyConfig) -> Iterator[Found]:
    """Another spelling of a protected path (`/Orders`, `/orders%2f1`, an encoding within an encoding) matches no other
    route than the last. If the upstream resolves it to the protected path, only the last route's policy was applied.
    So it must be `deny`.
    """
    for routes in _hosts(envoy):
        strongest = max((route.strength for route in routes if route.strength not in {None, DENY}), default=0)
        for route in routes:
            weak = route.strength is not None and route.strength < min(strongest or 0, DEMANDING)
            if route.match.is_everything and weak and not route.answers_itself:
                problem = "other spellings of the protected paths fall to this weaker route"
                yield Found(route.fields.path, problem, "Give it `policy: deny`, and name what is open.")


@rule("AUTHZ406", Severity.ERROR, "Envoy refuses the path of a route")
def refused_prefix(envoy: EnvoyConfig) -> Iterator[Found]:
    """`path_separated_prefix` brings its own slash, and knows neither query nor fragment: with one at its end, `/`
    alone, or `?` or `#` in it, Envoy does not start.
    """
    for manager in envoy.managers:
        for route in manager.routes:
            kind, text = route.match.path
            if kind == "path_separated_prefix" and not _SEPARATED.fullmatch(text):
                meant = re.split("[?#]", text)[0].rstrip("/")
                fix = f"Write `path_separated_prefix: {meant:.80}`." if len(meant) > 1 else "Write `prefix: /`."
                problem = f"Envoy refuses the path_separated_prefix {text!r:.80}"
                yield Found(route.match.fields.where("path_separated_prefix"), problem, fix)
