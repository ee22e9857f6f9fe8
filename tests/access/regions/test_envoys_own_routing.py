"""Real Envoy answers generated requests with routes that name themselves. The regions must agree on every request."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authz.tools.access.regions.region import Region, regions
from authz.tools.processes.machine import LOOPBACK
from tests.access.regions.first_match import REQUESTS, Request, compared, resources, tables
from tests.access.regions.naming_envoy import naming_envoy

TABLES = 40
REQUESTS_EACH = 60


@pytest.fixture(scope="module")
def generated() -> list[tuple[list[dict[str, Any]], list[Request]]]:
    """Random tables, each with random requests."""
    found: list[tuple[list[dict[str, Any]], list[Request]]] = []

    @given(tables(), st.lists(REQUESTS, min_size=REQUESTS_EACH, max_size=REQUESTS_EACH))
    @settings(
        max_examples=TABLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(hosts: list[dict[str, Any]], requests: list[Request]) -> None:
        found.append((hosts, requests))

    collect()
    return found


def _reading(index: int) -> dict[str, bool]:
    """Whether a table ignores path parameters and ports: a quarter of the tables for each of the four ways."""
    return {"ignores_parameters": index % 2 == 1, "ignores_port": index % 4 > 1}


def _answer(connection: http.client.HTTPConnection, request: Request) -> str | None:
    """The name of the route that answers. None if Envoy answers 404."""
    connection.putrequest(request.method, request.target, skip_host=True)
    connection.putheader("host", request.host)
    connection.putheader("content-length", "0")
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read().decode()
    assert response.status in {200, 404}, (response.status, body)
    return body if response.status == 200 else None


def _taker(found: list[Region], request: Request, index: int) -> str | None:
    path = compared(request.path) if _reading(index)["ignores_parameters"] else request.path
    parts = {**request.parts(ignores_port=_reading(index)["ignores_port"]), "path": path}
    return next((each.route.name for each in found if parts in each.requests), None)


def _examples(found: list[Region]) -> Iterator[tuple[str, Request]]:
    for region in found:
        try:
            example = region.requests.example()
        except ValueError:
            continue
        yield region.route.name, Request.of_target(example.host, example.method, example.path, dict(example.headers))


def test_envoy_routes_every_request_to_the_region_that_contains_it(
    generated: list[tuple[list[dict[str, Any]], list[Request]]], tmp_path: Path
) -> None:
    wrong = []
    asked = 0
    with naming_envoy([hosts for hosts, _requests in generated], tmp_path, _reading) as ports:
        for index, ((hosts, requests), port) in enumerate(zip(generated, ports, strict=True)):
            found = regions(resources(hosts, **_reading(index)))
            takers = [(_taker(found, request, index), request) for request in requests]
            connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
            for expected, request in [*takers, *_examples(found)]:
                asked += 1
                answer = _answer(connection, request)
                if answer != expected:
                    route = [each for host in hosts for each in host["routes"] if each["name"] in {answer, expected}]
                    wrong.append((expected, answer, request, route))
            connection.close()

    assert asked > TABLES * REQUESTS_EACH
    assert wrong == [], "\n".join(f"{len(wrong)} {e[:3]} {[(r['name'], r['match']) for r in e[3]]}" for e in wrong)
