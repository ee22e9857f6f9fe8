"""Matchers on `:authority` together with the domains of the virtual host."""

from __future__ import annotations

from typing import Any

import pytest

from authz.tools.access.regions.authority import AuthorityCondition, authority_member, compared_host
from authz.tools.access.regions.intervals import ALL, exactly
from authz.tools.access.regions.languages import Language
from authz.tools.access.regions.region import regions
from authz.tools.access.regions.values import Values
from tests.access.regions.first_match import resources

_X = Values(exactly("x.test"[::-1]))


def _matching(regex: str) -> Values:
    return Values(ALL, frozenset({(True, Language("regex", regex, is_reversed=True))}))


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("x.test", "x.test"),
        ("X.Test:81", "x.test"),
        ("x.test:", "x.test"),
        ("[::1]", "[::1]"),
        ("[::1]:81", "[::1]"),
        ("a:b:81", "a:b"),
    ],
)
def test_the_port_is_what_follows_the_last_colon_outside_of_brackets(authority: str, host: str) -> None:
    assert compared_host(authority[::-1], ignores_port=True) == host[::-1]
    assert compared_host(authority[::-1], ignores_port=False) == authority.lower()[::-1]


@pytest.mark.parametrize(
    ("regex", "ignores_port", "found"),
    [
        ("X.*", False, "X.test"),
        (".*:8[0-9]", True, "x.test:80"),
        (".*:8[0-9]", False, None),
        ("y.*", True, None),
        ("x[.]test", True, "x.test"),
        ("[A-Z.]+", False, "X.TEST"),
    ],
)
def test_the_shortest_spelling_of_a_host_that_a_matcher_accepts(
    regex: str,
    ignores_port: bool,  # noqa: FBT001
    found: str | None,
) -> None:
    member = authority_member(AuthorityCondition(_X, _matching(regex), ignores_port))

    assert (member and member[::-1]) == found


def _routes(*matches: dict[str, Any]) -> list[dict[str, Any]]:
    routes = [
        {"name": f"{index}", "match": {"prefix": "/", **match}, "direct_response": {"status": 200}}
        for index, match in enumerate(matches)
    ]
    return [{"name": "all", "domains": ["x.test", "y.test"], "routes": routes}]


def _host_is(text: str, **more: object) -> dict[str, Any]:
    return {"headers": [{"name": "host", "string_match": {"exact": text, **more}}]}


def test_a_matcher_on_another_host_than_the_domains_leaves_its_route_without_requests() -> None:
    found = regions(resources(_routes(_host_is("z.test"), {})))

    assert [each.route.name for each in found] == ["1"]


def test_another_spelling_of_the_host_passes_a_matcher_that_is_case_sensitive() -> None:
    found = regions(resources(_routes(_host_is("x.test"), _host_is("y.test"), {})))

    assert [each.route.name for each in found] == ["0", "1", "2"]
    assert found[2].requests.example().host.lower() in {"x.test", "y.test"}
    assert found[2].requests.example().host.lower() != found[2].requests.example().host


def test_a_request_with_an_empty_host_reaches_the_route_that_asks_for_it() -> None:
    hosts = [{**_routes(_host_is(""), {})[0], "domains": ["*"]}]
    found = regions(resources(hosts))

    assert [each.route.name for each in found] == ["0", "1"]
    assert found[0].requests.example().host == ""
    assert found[1].requests.example().host == "example.com"


def test_matchers_that_ignore_the_case_take_all_requests_of_the_domains() -> None:
    found = regions(resources(_routes(_host_is("X.test", ignore_case=True), _host_is("y.Test", ignore_case=True), {})))

    assert [each.route.name for each in found] == ["0", "1"]


def test_another_port_passes_a_matcher_in_a_table_that_ignores_ports() -> None:
    any_case = [_host_is(f"{name}.test", ignore_case=True) for name in "xy"]
    found = regions(resources(_routes(*any_case, {}), ignores_port=True))

    assert [each.route.name for each in found] == ["0", "1", "2"]
    assert ":" in found[2].requests.example().host
