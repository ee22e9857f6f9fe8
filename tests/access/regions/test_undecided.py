"""What makes a region undecided, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authz.envoy.document import YamlDocument
from authz.envoy.resources import Resources
from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import Region, regions
from authz.tools.access.regions.values import MAX_LANGUAGES
from tests.access.regions.first_match import configuration

_LUA = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}
_ALL = {"prefix": "/"}


def _hosts(*matches: dict[str, Any]) -> list[dict[str, Any]]:
    routes = [
        {"name": f"{index}", "match": match, "direct_response": {"status": 200}} for index, match in enumerate(matches)
    ]
    return [{"name": "all", "domains": ["*"], "routes": routes}]


def _manager(data: dict[str, Any]) -> Any:
    return data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def _regions(data: dict[str, Any]) -> list[Region]:
    return regions(Resources(YamlDocument(data, {}, "envoy.yaml")))


_CONDITIONS: list[dict[str, Any]] = [
    {"runtime_fraction": {"default_value": {"numerator": 50}}},
    {"dynamic_metadata": [{"filter": "x"}]},
    {"grpc": {}},
    {"tls_context": {"presented": True}},
    {"a_field_of_tomorrow": 1},
    {"headers": [{"name": "x", "range_match": {"start": 1, "end": 2}}]},
    {"headers": [{"name": "x", "string_match": {"custom": {}}}]},
    {"query_parameters": [{"name": "x", "present_match": False}]},
]


@pytest.mark.parametrize("condition", _CONDITIONS, ids=lambda each: next(iter(each)))
def test_a_condition_that_is_not_modelled_makes_the_region_undecided(condition: dict[str, Any]) -> None:
    (first, second) = _regions(configuration(_hosts({"prefix": "/a", **condition}, _ALL)))

    assert first.undecided
    assert second.undecided is None
    assert first.requests.describe() == "any method any host /a*"


@pytest.mark.parametrize(
    "regex", [r"/a\b.*", r"/\pL+", r"/(?m)^a$", r"/[a-z", r"/(a", r"/a**", "/((a{1000}){1000}){9}"]
)
def test_an_expression_that_is_not_modelled_makes_the_region_undecided(regex: str) -> None:
    (region,) = _regions(configuration(_hosts({"safe_regex": {"regex": regex}})))

    assert region.undecided


def _no_routes(data: dict[str, Any]) -> None:
    del _manager(data)["route_config"]
    _manager(data)["rds"] = {"route_config_name": "elsewhere"}


def _lua(data: dict[str, Any]) -> None:
    _manager(data)["http_filters"].insert(0, {"name": "lua", "typed_config": _LUA})


def _discovered(data: dict[str, Any]) -> None:
    _manager(data)["http_filters"].insert(0, {"name": "x", "config_discovery": {"type_urls": ["a"]}})


def _upgrade(data: dict[str, Any]) -> None:
    lua = {"name": "lua", "typed_config": _LUA}
    _manager(data)["upgrade_configs"] = [{"upgrade_type": "websocket", "filters": [lua]}]


def _matcher(data: dict[str, Any]) -> None:
    _manager(data)["route_config"]["virtual_hosts"][0]["matcher"] = {"matcher_tree": {}}


def _tls(data: dict[str, Any]) -> None:
    _manager(data)["route_config"]["virtual_hosts"][0]["require_tls"] = "ALL"


def _plain_tcp(data: dict[str, Any]) -> None:
    data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"] = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "cluster": "a",
    }


_CHANGES = [_no_routes, _lua, _discovered, _upgrade, _matcher, _tls, _plain_tcp]


@pytest.mark.parametrize("change", _CHANGES, ids=lambda each: each.__name__)
def test_what_is_not_in_the_file_or_can_change_a_request_makes_its_regions_undecided(
    change: Callable[[dict[str, Any]], None],
) -> None:
    data = configuration(_hosts(_ALL))
    change(data)

    assert [bool(each.undecided) for each in _regions(data)] == [True]


def test_files_that_disagree_about_path_parameters_are_undecided() -> None:
    data = configuration(_hosts(_ALL))
    _manager(data)["route_config"]["ignore_path_parameters_in_path_matching"] = True

    ((_requests, one, other),) = overlaps(_regions(configuration(_hosts(_ALL))), _regions(data))

    assert one is not None
    assert one.undecided
    assert other is not None
    assert other.undecided


def test_files_that_disagree_about_ports_are_undecided() -> None:
    data = configuration(_hosts(_ALL), ignores_port=True)

    ((_requests, one, other),) = overlaps(_regions(configuration(_hosts(_ALL))), _regions(data))

    assert one is not None
    assert one.undecided
    assert other is not None
    assert other.undecided


@pytest.mark.parametrize("setting", ["normalize_path", "merge_slashes", "strip_any_host_port"])
def test_two_configurations_that_read_a_path_or_host_differently_are_undecided(setting: str) -> None:
    data = configuration(_hosts(_ALL))
    _manager(data)[setting] = True

    ((_requests, one, other),) = overlaps(_regions(configuration(_hosts(_ALL))), _regions(data))

    assert one is not None
    assert one.undecided
    assert other is not None
    assert other.undecided


def test_a_listener_that_only_one_configuration_has_is_compared_with_no_route() -> None:
    ((_requests, one, other),) = overlaps([], _regions(configuration(_hosts(_ALL))))

    assert one is None
    assert other is not None
    assert other.undecided is None


def test_disjoint_routes_in_another_order_have_the_same_overlaps() -> None:
    matches = [{"prefix": "/a/"}, {"path": "/b"}, {"path_separated_prefix": "/c"}]
    one, other = _hosts(*matches, _ALL), _hosts(*matches, _ALL)
    other[0]["routes"][:3] = reversed(other[0]["routes"][:3])

    found = overlaps(_regions(configuration(one)), _regions(configuration(other)))

    assert sorted((old and old.route.name, new and new.route.name) for _set, old, new in found) == [
        (name, name) for name in "0123"
    ]


def _any_case(path: str, count: int) -> list[Region]:
    matches = [{"prefix": path.format(index), "case_sensitive": False} for index in range(count)]
    return _regions(configuration(_hosts(*matches, _ALL)))


def test_many_routes_that_ignore_the_case_are_decided_if_their_first_letters_differ() -> None:
    found = _any_case("/r{:04}", 500)

    assert [each.route.name for each in found if each.undecided] == []
    assert len(found) == 501
    assert {(old and old.route.name, new and new.route.name) for _set, old, new in overlaps(found, found)} == {
        (each.route.name, each.route.name) for each in found
    }


def test_many_routes_that_ignore_the_case_are_decided_if_they_have_one_beginning() -> None:
    found = _any_case("/services/{:04}", 500)

    assert [each.route.name for each in found if each.undecided] == []
    assert len(found) == 501
    assert {(old and old.route.name, new and new.route.name) for _set, old, new in overlaps(found, found)} == {
        (each.route.name, each.route.name) for each in found
    }


def test_routes_that_ignore_the_case_and_routes_that_do_not_take_from_each_other_in_order() -> None:
    exact = {"prefix": "/Services/a"}
    found = _regions(configuration(_hosts(exact, {"prefix": "/services", "case_sensitive": False}, exact, _ALL)))

    assert [each.route.name for each in found] == ["0", "1", "3"]
    assert [
        {"host": "x", "path": path, ":method": "GET"} in found[1].requests for path in ("/Services/a", "/SERVICES/a")
    ] == [False, True]


def test_more_expressions_on_one_beginning_than_can_be_compared_are_undecided_and_none_is_left_out() -> None:
    matches = [{"safe_regex": {"regex": f"/s/.*{index:04}"}} for index in range(MAX_LANGUAGES + 20)]
    found = _regions(configuration(_hosts(*matches, _ALL)))

    assert len(found) == MAX_LANGUAGES + 21
    assert [each.undecided is None for each in found[: MAX_LANGUAGES - 1]] == [True] * (MAX_LANGUAGES - 1)
    assert all(each.undecided for each in found[MAX_LANGUAGES:])
