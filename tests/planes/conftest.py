"""Both control planes, each started once. `make planes` builds them and runs this in a network of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.planes.build import ENVOY_GATEWAY, ISTIO, why_not
from tests.planes.envoy_gateway import EnvoyGateway, envoy_gateway
from tests.planes.istio_generator import Istio, istio
from tests.planes.plane import Plane


@pytest.fixture(scope="session")
def _ready() -> None:
    """Skips if the programs cannot be built, or if they would listen on a real network."""
    if why_not():
        pytest.skip(why_not())
    if not all(program.path.is_file() for program in (ENVOY_GATEWAY, ISTIO)):
        pytest.skip("the control planes are not built: run `make planes`")
    if [name for _index, name in socket.if_nameindex()] != ["lo"]:
        pytest.skip("Envoy Gateway listens on all interfaces: run `make planes`, which takes a network of its own")


@pytest.fixture(scope="session")
def gateway(_ready: None) -> Iterator[EnvoyGateway]:
    with envoy_gateway() as started:
        yield started


@pytest.fixture(scope="session")
def mesh(_ready: None) -> Iterator[Istio]:
    with istio() as started:
        yield started


@pytest.fixture(params=["gateway", "mesh"], ids=["envoy-gateway", "istio"])
def plane(request: pytest.FixtureRequest) -> Plane:
    """Either control plane, with the shipped files or those of the last test."""
    started: Plane = request.getfixturevalue(request.param)
    return started


@pytest.fixture
def shipped(plane: Plane) -> Plane:
    """Either control plane with the shipped files."""
    plane.restore()
    return plane
