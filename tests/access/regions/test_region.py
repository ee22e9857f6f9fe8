from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import Region, regions
from tests.access.regions.first_match import REQUESTS, Request, first_match, resources, tables

_SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _takers(found: list[Region], request: Request) -> list[str]:
    return [each.route.name for each in found if request.parts() in each.requests]


@given(tables(), st.lists(REQUESTS, min_size=5, max_size=20))
@_SLOW
def test_a_request_is_in_the_region_of_the_first_route_that_matches_it_and_in_no_other(
    hosts: list[dict[str, Any]], requests: list[Request]
) -> None:
    found = regions(resources(hosts))

    for request in requests:
        expected = first_match(hosts, request)
        assert _takers(found, request) == ([] if expected is None else [expected])


@given(tables())
@_SLOW
def test_the_example_of_a_region_reaches_its_route(hosts: list[dict[str, Any]]) -> None:
    for region in regions(resources(hosts)):
        example = region.requests.example()
        path, _, query = example.path.partition("?")
        pairs = dict(each.split("=", 1) for each in query.split("&") if each)
        request = Request(example.host, example.method, path, dict(example.headers), pairs)
        assert first_match(hosts, request) == region.route.name


@given(tables(), tables(), st.lists(REQUESTS, min_size=5, max_size=20))
@_SLOW
def test_a_request_is_in_the_overlap_of_its_old_and_its_new_route_and_in_no_other(
    old: list[dict[str, Any]], new: list[dict[str, Any]], requests: list[Request]
) -> None:
    found = list(overlaps(regions(resources(old)), regions(resources(new))))

    for request in requests:
        expected = (first_match(old, request), first_match(new, request))
        pairs = [
            (one and one.route.name, other and other.route.name)
            for shared, one, other in found
            if request.parts() in shared
        ]
        assert pairs == ([] if expected == (None, None) else [expected])


@given(tables())
@_SLOW
def test_regions_of_one_table_share_no_request(hosts: list[dict[str, Any]]) -> None:
    for one, other in combinations(regions(resources(hosts)), 2):
        assert (one.requests & other.requests).is_empty()
