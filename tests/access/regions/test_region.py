"""The regions of random route tables, compared with a plain interpreter of first matches."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import regions
from tests.access.regions.first_match import REQUESTS, Request, compared, first_match, resources, tables

_SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


_READINGS = st.fixed_dictionaries({"ignores_parameters": st.booleans(), "ignores_port": st.booleans()})


@given(tables(), st.lists(REQUESTS, min_size=5, max_size=20), _READINGS)
@_SLOW
def test_a_request_is_in_the_region_of_the_first_route_that_matches_it_and_in_no_other(
    hosts: list[dict[str, Any]], requests: list[Request], reading: dict[str, bool]
) -> None:
    found = regions(resources(hosts, **reading))

    for request in requests:
        expected = first_match(hosts, request, **reading)
        # A path of a region is what its routes compare.
        path = compared(request.path) if reading["ignores_parameters"] else request.path
        parts = replace(request, path=path, written=request.target).parts(ignores_port=reading["ignores_port"])
        takers = [each.route.name for each in found if parts in each.requests]
        assert takers == ([] if expected is None else [expected])


@given(tables(), _READINGS)
@_SLOW
def test_the_example_of_a_region_reaches_its_route(hosts: list[dict[str, Any]], reading: dict[str, bool]) -> None:
    for region in regions(resources(hosts, **reading)):
        try:
            example = region.requests.example()
        except ValueError:
            # Only bytes outside of ASCII, or a condition on :path together with one on the query.
            continue
        request = Request.of_target(example.host, example.method, example.path, dict(example.headers))
        assert first_match(hosts, request, **reading) == region.route.name


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
        common = one.requests & other.requests
        assert common.is_empty() or common.undecided
