"""The demo's parts over TLS: the shipped Envoy YAML with its transport socket, a route for one group, and CORS."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from authz.tools.demo.cognito_emulator import start_emulator
from authz.tools.demo.echo_service import upstream
from authz.tools.demo.provision import Pool, provision
from authz.tools.demo.proxy import Place, start_envoy, write_configuration
from authz.tools.demo.requirements import require_packages, shipped_envoy_yaml
from authz.tools.demo.stack import start_sidecar
from authz.tools.processes.children import Child, Children
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port
from tests.fakes.certificates import server_pem

_CORS_EXAMPLE = Path(__file__).parents[2] / "deploy/examples/cors.yaml"
_CORS = "envoy.filters.http.cors"
_AUTHZ = "envoy.filters.http.ext_authz"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


class SecurePlace(Place):
    """A place whose clients use https."""

    __slots__ = ()

    @property
    def home(self) -> str:
        """The application's address as browsers see it."""
        return f"https://{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True)
class SecureDemo:
    """The running processes."""

    place: SecurePlace
    pool: Pool
    children: Children
    sidecar: Child
    page_port: int
    """The port for a page of another origin, which CORS allows. The browser's script serves it."""


@contextmanager
def running() -> Iterator[SecureDemo]:
    """Start all processes, and stop them when the block ends."""
    require_packages()
    envoy_command()
    with tempfile.TemporaryDirectory(prefix="authz-tls-", dir="/tmp") as folder, Children(Path(folder)) as children:
        cognito = start_emulator(children, Path(folder))
        place = SecurePlace(Path(folder), cognito, free_port(), admin_port=free_port(), upstream_port=free_port())
        pool, page_port = provision(cognito, place.home), free_port()
        write_configuration(shipped_envoy_yaml(), place, pool)
        _add_tls_group_and_cors(place, f"https://{LOOPBACK}:{page_port}")
        with upstream(place.upstream_port):
            sidecar, _admin = start_sidecar(children, place.configuration)
            start_envoy(children, place)
            yield SecureDemo(place, pool, children, sidecar, page_port)


def _add_tls_group_and_cors(place: Place, origin: str) -> None:
    config = yaml.safe_load(place.configuration.read_text(encoding="utf-8"))
    for name, content in zip(("tls.crt", "tls.key"), server_pem(LOOPBACK), strict=True):
        (place.directory / name).write_bytes(content)
    chain = config["static_resources"]["listeners"][0]["filter_chains"][0]
    pair = {
        "certificate_chain": {"filename": str(place.directory / "tls.crt")},
        "private_key": {"filename": str(place.directory / "tls.key")},
    }
    chain["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": _TLS, "common_tls_context": {"tls_certificates": [pair]}},
    }
    manager = _manager(config)
    example = _manager(yaml.safe_load(_CORS_EXAMPLE.read_text(encoding="utf-8")))
    manager["http_filters"].insert(0, next(each for each in example["http_filters"] if each["name"] == _CORS))
    host = manager["route_config"]["virtual_hosts"][0]
    policy = example["route_config"]["virtual_hosts"][0]["typed_per_filter_config"][_CORS]
    host["typed_per_filter_config"][_CORS] = policy | {"allow_origin_string_match": [{"exact": origin}]}
    add_group_route(config)
    place.configuration.write_text(yaml.safe_dump(config, sort_keys=False, width=120), encoding="utf-8")


def add_group_route(config: dict[str, Any]) -> None:
    """Add the path /staff, for one group, before the route that closes every other path."""
    config["node"]["metadata"]["authz"]["policies"]["staff-only"] = {"groups": ["staff"]}
    per_route = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
        "check_settings": {"context_extensions": {"policy": "staff-only"}},
    }
    route = {
        "match": {"path": "/staff"},
        "route": {"cluster": "app"},
        "typed_per_filter_config": {_AUTHZ: per_route},
    }
    _manager(config)["route_config"]["virtual_hosts"][0]["routes"].insert(-1, route)


def _manager(config: Any) -> dict[str, Any]:
    manager: dict[str, Any] = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]
    return manager
