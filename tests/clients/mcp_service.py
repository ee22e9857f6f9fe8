"""An MCP server behind Envoy and authz on loopback, as docs/mcp.md describes it, and an OpenID provider."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from authz.tools.demo.proxy import Place, start_envoy
from authz.tools.demo.stack import start_sidecar
from authz.tools.init import pages
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.clients.pages import Application
from tests.clients.shipped_login import start_provider
from tests.clients.world import FOLDER, PROGRAM_SECONDS, PROGRAMS, VENV
from tests.fakes.waiting import until

ROOT = FOLDER.parents[1]
SHIPPED = ROOT / "deploy" / "examples" / "behind-load-balancer.yaml"
_EXT_AUTHZ = "envoy.filters.http.ext_authz"


@dataclass(frozen=True, slots=True)
class McpService:
    """The running processes."""

    place: Place
    provider: str
    token_port: int

    @property
    def url(self) -> str:
        """The MCP server's URL as clients know it."""
        return f"{self.place.home}/mcp"

    @property
    def url_with_token(self) -> str:
        """A second listener of Envoy, which adds a token and leads to the first, for programs that cannot sign in."""
        return f"http://{LOOPBACK}:{self.token_port}/mcp"

    def call(self) -> dict[str, Any]:
        """What the client of the official SDK reports. Raises CalledProcessError if it fails."""
        command = [str(VENV / "bin" / "python"), str(PROGRAMS / "mcp_client.py"), self.url]
        environment = child_environment(PYTHONPATH=str(ROOT))
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=PROGRAM_SECONDS, env=environment
        )
        return dict(json.loads(done.stdout))


@contextmanager
def running(policy: str) -> Iterator[McpService]:
    """Start everything, with this inline policy on the route of the MCP server; end it with the block."""
    with tempfile.TemporaryDirectory(prefix="authz-mcp-", dir="/tmp") as name, Children(Path(name)) as children:
        place = Place(Path(name), "", free_port(), free_port(), free_port())
        provider = start_provider(children, place.home, f"{place.home}/mcp")
        server = [str(VENV / "bin" / "python"), str(PROGRAMS / "mcp_server.py"), str(place.upstream_port)]
        children.start("mcp", server, child_environment())
        until(lambda: _listens(place.upstream_port), PROGRAM_SECONDS)
        pages.write(place.directory)
        config = _derived(place, provider, policy)
        place.configuration.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        token_port = free_port()
        config["static_resources"]["listeners"].append(_with_token(token_port, _token(provider, place)))
        config["static_resources"]["clusters"].append(_cluster("front", place.port))
        routes = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        routes["route_config"]["virtual_hosts"][0]["routes"].insert(0, _metadata_route(place.configuration))
        place.configuration.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        start_sidecar(children, place.configuration)
        start_envoy(children, place)
        yield McpService(place, provider, token_port)


def _token(provider: str, place: Place) -> str:
    """An access token of a program, for the MCP server."""
    suite = Application("", f"{provider}/token", "suite", "secret-of-at-least-32-characters-1")
    asked = {"grant_type": "client_credentials", "scope": "orders/read", "resource": f"{place.home}/mcp"}
    return str(suite.tokens(**asked)["access_token"])


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port)):
            return True
    except OSError:
        return False


def _with_token(port: int, token: str) -> dict[str, Any]:
    header = {"header": {"key": "authorization", "value": f"Bearer {token}"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "front", "timeout": "0s"}}
    routes = {"name": "token", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}
    kind = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "token",
        "route_config": routes | {"request_headers_to_add": [header]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": "token", "address": _address(port), "filter_chains": [chain]}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    endpoints = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "type": "STATIC", "load_assignment": endpoints}


def _metadata_route(configuration: Path) -> dict[str, Any]:
    """The route as `authz metadata` prints it."""
    command = [sys.executable, "-m", "authz", "metadata", str(configuration)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=PROGRAM_SECONDS)
    (route,) = yaml.safe_load(printed.stdout)
    return dict(route)


def _derived(place: Place, provider: str, policy: str) -> dict[str, Any]:
    """A shipped file with the addresses of these processes, and the MCP server's route before the others."""
    text = SHIPPED.read_text(encoding="utf-8").replace("/run/authz", str(place.directory))
    config: dict[str, Any] = yaml.safe_load(pages.local(text, place.directory))
    authz = config["node"]["metadata"]["authz"]
    authz["issuers"] = {"provider": {"profile": "oidc", "issuer": provider, "audiences": [f"{place.home}/mcp"]}}
    authz["resource"] = {"id": f"{place.home}/mcp", "scopes": ["orders/read", "orders/write"]}
    static = config["static_resources"]
    static["listeners"][0]["address"], config["admin"]["address"] = _address(place.port), _address(place.admin_port)
    manager = static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    host = manager["route_config"]["virtual_hosts"][0]
    host["domains"] = ["*"]
    per_route = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
        "check_settings": {"context_extensions": {"policy": policy}},
    }
    route = {"cluster": "app", "timeout": "0s"}
    host["routes"].insert(
        0, {"match": {"path": "/mcp"}, "route": route, "typed_per_filter_config": {_EXT_AUTHZ: per_route}}
    )
    clusters = {cluster["name"]: cluster for cluster in static["clusters"]}
    endpoint = clusters["app"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"] = _address(place.upstream_port)
    return config


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
