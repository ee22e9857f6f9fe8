"""Findings about the order of routes that need more than a comparison of two texts."""

from __future__ import annotations

import pytest

from authz.tools.lint.examine import examine
from tests.lint.cases import REST, codes, line_of, route, routes

_GET = 'headers: [{ name: ":method", string_match: { exact: GET } }]'
_ONE_POLICY = (("        orders-write: { scopes: [orders/write] }\n", ""),)


def _policies(**policies: str) -> tuple[tuple[str, str], ...]:
    """The policies of the clean file, and further ones."""
    more = "".join(f"        {name}: {text}\n" for name, text in policies.items())
    return (("        orders-write: { scopes: [orders/write] }\n", more),)


def test_a_route_whose_requests_several_routes_take_together_is_never_reached() -> None:
    text = routes(
        route("{ path: /orders }", "orders-read"),
        route("{ prefix: /orders/ }", "orders-write"),
        route("{ path_separated_prefix: /orders }", "deny"),
        REST,
    )

    (finding,) = examine(text, "f")

    lines = [line_of(text, "match: { path: /orders }"), line_of(text, "match: { prefix: /orders/ }")]
    assert finding.rule.code == "AUTHZ401"
    assert finding.message.endswith(f"the routes in lines {lines[0]} and {lines[1]}")


def test_many_takers_are_counted() -> None:
    paths = [route(f"{{ path: /a/{index} }}", "orders-read") for index in range(5)]
    dead = route('{ safe_regex: { regex: "/a/[0-4]" } }', "orders-write")
    text = routes(*paths, dead, REST)

    (finding,) = examine(text, "f")

    assert finding.rule.code == "AUTHZ401"
    assert finding.message.endswith(" and 2 more")


def test_a_route_that_some_requests_still_reach_is_no_finding() -> None:
    text = routes(
        route("{ path: /orders }", "orders-read"),
        route(f"{{ prefix: /orders/, {_GET} }}", "orders-write"),
        route("{ path_separated_prefix: /orders }", "deny"),
        REST,
    )

    assert codes(text) == []


@pytest.mark.parametrize("narrow", ["{ path: /orders/reports }", '{ safe_regex: { regex: "/orders/reports/[0-9]+" } }'])
def test_a_broad_route_with_another_scope_takes_a_part_of_a_narrow_one(narrow: str) -> None:
    text = routes(
        route(f"{{ path_separated_prefix: /orders, {_GET} }}", "orders-read"), route(narrow, "orders-write"), REST
    )

    assert codes(text) == ["AUTHZ402"]


def test_a_broad_route_that_demands_more_than_the_narrow_one_is_no_finding() -> None:
    text = routes(
        route(f"{{ path_separated_prefix: /orders, {_GET} }}", "both"),
        route("{ path: /orders/reports }", "orders-read"),
        REST,
        also=_policies(both="{ scopes: [orders/read, orders/write] }"),
    )

    assert codes(text) == []


def test_a_broad_route_whose_condition_excludes_that_of_the_narrow_one_is_no_finding() -> None:
    version = 'headers: [{{ name: x-version, string_match: {{ exact: "{}" }} }}]'
    text = routes(
        route(f"{{ path_separated_prefix: /orders, {version.format(1)} }}", "authenticated"),
        route(f"{{ path: /orders/reports, {version.format(2)} }}", "orders-read"),
        REST,
        also=_ONE_POLICY,
    )

    assert codes(text) == []


def test_a_broad_redirect_leads_nobody_to_the_upstream() -> None:
    plain = "headers: [{ name: x-forwarded-proto, string_match: { exact: http } }]"
    text = routes(
        route(f"{{ prefix: /, {plain} }}", "public", "redirect: { https_redirect: true }"),
        route("{ path_separated_prefix: /orders }", "orders-read"),
        REST,
        also=_ONE_POLICY,
    )

    assert codes(text) == []


def test_a_broad_route_with_a_matcher_that_is_not_modelled_is_compared_by_its_text() -> None:
    half = "runtime_fraction: { default_value: { numerator: 50 }, runtime_key: half }"
    text = routes(
        route(f"{{ prefix: /, {half} }}", "authenticated"),
        route("{ path_separated_prefix: /orders }", "orders-read"),
        REST,
        also=_ONE_POLICY,
    )

    assert codes(text) == ["AUTHZ402"]


def test_other_methods_that_fall_to_a_part_of_the_conditions_are_named() -> None:
    text = routes(
        route(f"{{ path: /orders/reports, {_GET} }}", "both"),
        route("{ path_separated_prefix: /orders }", "orders-read"),
        REST,
        also=_policies(both="{ scopes: [orders/read, orders/write] }"),
    )

    assert codes(text) == ["AUTHZ403"]


def test_other_methods_that_fall_to_a_policy_with_another_scope_are_no_finding() -> None:
    text = routes(
        route(f"{{ path_separated_prefix: /orders, {_GET} }}", "orders-read"),
        route("{ path_separated_prefix: /orders }", "orders-write"),
        REST,
    )

    assert codes(text) == []


def test_many_long_expressions_are_compared_by_their_texts() -> None:
    long = [route(f'{{ safe_regex: {{ regex: "/{index}/(a{{1000}}){{9}}" }} }}', "orders-read") for index in range(6)]
    text = routes(*long, route("{ path: /a }", "orders-read"), route("{ path: /a }", "orders-write"), REST)

    assert codes(text) == ["AUTHZ401"]


def test_two_equal_paths_that_are_not_modelled_leave_the_second_dead() -> None:
    text = routes(route('{ path: "*" }', "orders-read"), route('{ path: "*" }', "orders-write"), REST)

    assert codes(text) == ["AUTHZ401"]
