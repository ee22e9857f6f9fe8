"""Real Envoy answers generated requests with routes that name themselves. The regions must agree on every request."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authz.tools.access.regions.region import Region, regions
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.access.regions.first_match import (
    REQUESTS,
    Request,
    compared,
    configuration,
    resources,
    tables,
)

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


def _naming(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The virtual hosts, with routes that answer with their name."""
    return [
        {
            **host,
            "routes": [
                {**route, "direct_response": {"status": 200, "body": {"inline_string": route["name"]}}}
                for route in host["routes"]
            ],
        }
        for host in hosts
    ]


def _reading(index: int) -> dict[str, bool]:
    """Whether a table ignores path parameters and ports: a quarter of the tables for each of the four ways."""
    return {"ignores_parameters": index % 2 == 1, "ignores_port": index % 4 > 1}


@contextmanager
def _envoy(tables_: list[list[dict[str, Any]]], directory: Path) -> Iterator[list[int]]:
    """Run one Envoy with a listener for each table."""
    admin, *ports = free_ports(1 + len(tables_))
    listeners = []
    for index, (hosts, port) in enumerate(zip(tables_, ports, strict=True)):
        (listener,) = configuration(_naming(hosts), port, **_reading(index))["static_resources"]["listeners"]
        listeners.append({**listener, "name": f"in-{index}"})
    address = {"socket_address": {"address": LOOPBACK, "port_value": admin}}
    data = {"admin": {"address": address}, "static_resources": {"listeners": listeners}}
    (directory / "envoy.json").write_text(json.dumps(data), encoding="utf-8")
    arguments = ["-c", f"{directory}/envoy.json", "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    with Children(directory) as children:
        envoy = children.start("envoy", [envoy_command(), *arguments], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready")
        yield ports


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
    with _envoy([hosts for hosts, _requests in generated], tmp_path) as ports:
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
