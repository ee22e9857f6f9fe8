"""Real Envoy with route tables whose routes answer with their own names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.access.regions.first_match import configuration


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


@contextmanager
def naming_envoy(
    tables: list[list[dict[str, Any]]], directory: Path, reading: Callable[[int], dict[str, bool]] = lambda _index: {}
) -> Iterator[list[int]]:
    """Run one Envoy with a listener for each table. `reading` has the settings of each table."""
    admin, *ports = free_ports(1 + len(tables))
    listeners = []
    for index, (hosts, port) in enumerate(zip(tables, ports, strict=True)):
        (listener,) = configuration(_naming(hosts), port, **reading(index))["static_resources"]["listeners"]
        listeners.append({**listener, "name": f"in-{index}"})
    address = {"socket_address": {"address": LOOPBACK, "port_value": admin}}
    data = {"admin": {"address": address}, "static_resources": {"listeners": listeners}}
    (directory / "envoy.json").write_text(json.dumps(data), encoding="utf-8")
    arguments = ["-c", f"{directory}/envoy.json", "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    with Children(directory) as children:
        envoy = children.start("envoy", [envoy_command(), *arguments], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready")
        yield ports
