"""Routes that no request reaches and routes that take from narrower ones, compared with a plain interpreter."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.envoy.fields import Fields
from authz.tools.access.regions.route_conditions import RouteCondition, route_condition
from authz.tools.access.regions.route_order import MAX_OVERLAPPING, Effort, RouteOrder, route_order
from tests.access.regions.first_match import MATCHES, REQUESTS, Request, matches

_SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _conditions(found: list[dict[str, Any]]) -> list[RouteCondition]:
    return [route_condition(Fields(each)) for each in found]


def _order(*found: dict[str, Any], effort: Effort | None = None) -> RouteOrder:
    return route_order(_conditions(list(found)), effort or Effort())


def _header(value: str) -> dict[str, Any]:
    return {"headers": [{"name": "x", "string_match": {"exact": value}}]}


@given(st.lists(MATCHES, min_size=2, max_size=7), st.lists(REQUESTS, min_size=20, max_size=40))
@_SLOW
def test_no_request_reaches_a_route_of_which_all_requests_are_taken(
    found: list[dict[str, Any]], requests: list[Request]
) -> None:
    order = _order(*found)

    for request in requests:
        matching = [index for index, each in enumerate(found) if matches(each, request)]
        for index in order.takers.keys() & set(matching):
            assert matching[0] < index
            assert matching[0] in order.takers[index]


@given(st.lists(MATCHES, min_size=2, max_size=5), st.lists(REQUESTS, min_size=40, max_size=40))
@_SLOW
def test_a_request_that_a_broader_route_takes_from_a_narrower_one_is_found(
    found: list[dict[str, Any]], requests: list[Request]
) -> None:
    """The narrower route has the same paths and a further segment, and no other condition."""
    path = {key: value for key, value in found[0].items() if key in {"prefix", "case_sensitive"}}
    if "prefix" not in path:
        return
    narrow = {**path, "prefix": f"{path['prefix'].rstrip('/')}/a"}
    order = _order(*found, narrow)

    for request in requests:
        matching = [index for index, each in enumerate([*found, narrow]) if matches(each, request)]
        if matching[:1] == [0] and len(found) in matching and len(found[0]) > len(path):
            assert 0 in order.broader.get(len(found), ()) or len(found) in order.undecided


def test_two_routes_that_together_take_everything_leave_nothing_of_a_third() -> None:
    order = _order({"path": "/a"}, {"prefix": "/a/"}, {"path_separated_prefix": "/a"}, {"prefix": "/"})

    assert order.takers == {2: (0, 1)}
    assert order.undecided == frozenset()


def test_a_route_that_takes_nothing_of_the_unreachable_one_is_not_named() -> None:
    order = _order({"path": "/a", **_header("1")}, {"prefix": "/a"}, {"path": "/a", **_header("2")})

    assert order.takers == {2: (1,)}


def test_an_expression_covers_what_it_matches() -> None:
    order = _order({"safe_regex": {"regex": "/a/[0-9]+"}}, {"path": "/a/1"}, {"path": "/a/b"})

    assert order.takers == {1: (0,)}


def test_an_expression_is_narrower_than_the_prefix_that_it_begins_with() -> None:
    order = _order({"prefix": "/a", **_header("1")}, {"safe_regex": {"regex": "/a/[0-9]+"}})

    assert order.broader == {1: (0,)}


def test_a_prefix_is_no_broader_route_for_an_expression_that_matches_elsewhere_too() -> None:
    assert _order({"prefix": "/a", **_header("1")}, {"safe_regex": {"regex": "/[ab]/.*"}}).broader == {}


def test_conditions_that_cannot_hold_together_take_nothing_from_each_other() -> None:
    assert _order({"prefix": "/a", **_header("1")}, {"path": "/a/b", **_header("2")}).broader == {}


def test_what_an_earlier_route_took_is_not_taken_again() -> None:
    order = _order({"prefix": "/a/b"}, {"prefix": "/a", **_header("1")}, {"path": "/a/b/c"})

    assert order.takers == {2: (0,)}
    assert order.broader == {}


def test_a_route_with_a_matcher_that_is_not_modelled_takes_nothing_for_certain() -> None:
    order = _order({"prefix": "/", "grpc": {}}, {"path": "/a"})

    assert order.takers == {}
    assert order.undecided == {0}


def test_a_route_with_a_matcher_that_is_not_modelled_can_be_unreachable() -> None:
    assert _order({"prefix": "/a"}, {"path": "/a/b", "grpc": {}}).takers == {1: (0,)}


def test_more_routes_on_one_path_than_are_compared_are_undecided_and_not_called_unreachable() -> None:
    count = MAX_OVERLAPPING + 20
    order = _order(*({"path": "/a", **_header(f"{index}")} for index in range(count)), {"path": "/a", **_header("1")})

    assert order.undecided == set(range(MAX_OVERLAPPING, count + 1))
    assert order.takers == {}


def test_a_configuration_that_costs_too_much_is_undecided() -> None:
    routes = [{"path": "/a"}, {"path": "/a"}]

    assert _order(*routes, effort=Effort(comparisons=1)).undecided == {0, 1}
    assert _order(*routes).takers == {1: (0,)}


def test_searches_through_expressions_count_as_effort() -> None:
    routes = [{"safe_regex": {"regex": "/(x|yy)*y+z"}}, {"safe_regex": {"regex": "/(x|yy)*z"}}]

    assert _order(*routes, effort=Effort(steps=1)).undecided == {0, 1}
    assert _order(*routes).undecided == frozenset()
