"""One Envoy with a listener for each way to protect a route, and no service behind: it answers the requests itself."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from authz.tools.processes.machine import envoy_command, free_ports
from bench.place import Place
from bench.pool import ISSUER
from bench.processes import Program, program

SHIPPED = Path(__file__).parents[1] / "deploy" / "envoy.yaml"
_TYPES = "type.googleapis.com/envoy.extensions.filters"
EXT_AUTHZ, JWT, RBAC = (f"envoy.filters.http.{name}" for name in ("ext_authz", "jwt_authn", "rbac"))


def _typed(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_TYPES}.{kind}", **config}}


def ext_authz(cluster: str, *, retries: bool = False) -> list[dict[str, Any]]:
    """The filter of deploy/envoy.yaml with its settings; with retries only if requested."""
    config = copy.deepcopy(_shipped())
    config["grpc_service"]["envoy_grpc"]["cluster_name"] = cluster
    if not retries:
        del config["grpc_service"]["retry_policy"]
    return [{"name": EXT_AUTHZ, "typed_config": config}]


@cache
def _shipped() -> Any:
    document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    listener = next(each for each in document["static_resources"]["listeners"] if each["name"] == "ingress")
    (manager,) = (each["typed_config"] for each in listener["filter_chains"][0]["filters"])
    (config,) = (each["typed_config"] for each in manager["http_filters"] if each["name"] == EXT_AUTHZ)
    return config


def jwt_and_rbac(jwks: Path, cache_size: int) -> list[dict[str, Any]]:
    """Envoy's own filters with the same demands: a good signature of the issuer, and the scope."""
    provider: dict[str, Any] = {
        "issuer": ISSUER,
        "local_jwks": {"filename": str(jwks)},
        "forward": True,
        "payload_in_metadata": "claims",
    }
    if cache_size:
        provider["jwt_cache_config"] = {"jwt_cache_size": cache_size}
    scope = {
        "metadata": {
            "filter": JWT,
            "path": [{"key": "claims"}, {"key": "scope"}],
            "value": {"string_match": {"contains": "orders/read"}},
        }
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "cognito"}}]
    allowed = {"action": "ALLOW", "policies": {"orders": {"permissions": [{"any": True}], "principals": [scope]}}}
    return [
        _typed(JWT, "http.jwt_authn.v3.JwtAuthentication", providers={"cognito": provider}, rules=rules),
        _typed(RBAC, "http.rbac.v3.RBAC", rules=allowed),
    ]


@contextlib.contextmanager
def envoy(
    place: Place, filters: Mapping[str, list[dict[str, Any]]], clusters: Mapping[str, Sequence[Path]]
) -> Iterator[tuple[Program, dict[str, str]]]:
    """Envoy with one worker thread; the URL of each listener by its name."""
    ports = dict(zip(filters, free_ports(len(filters)), strict=True))
    config = {
        "static_resources": {
            "listeners": [_listener(name, ports[name], chain) for name, chain in filters.items()],
            "clusters": [_cluster(name, sockets) for name, sockets in clusters.items()],
        }
    }
    path = place.write("envoy.yaml", config)
    command = [envoy_command(), "--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", str(path)]
    with program("envoy", command, place.folder, tuple(ports.values())) as running:
        yield running, {name: f"http://127.0.0.1:{port}/orders/42" for name, port in ports.items()}


def _listener(name: str, port: int, chain: list[dict[str, Any]]) -> dict[str, Any]:
    router = _typed("envoy.filters.http.router", "http.router.v3.Router")
    manager = _typed(
        "envoy.filters.network.http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        http_filters=[*chain, router],
        route_config={"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": _routes(chain)}]},
    )
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"name": name, "address": address, "filter_chains": [{"filters": [manager]}]}


def _routes(chain: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One route for reading and one, for the same token, whose policy refuses it."""
    routes = []
    for prefix, policy in (("/orders", "orders-read"), ("/write", "orders-write")):
        route: dict[str, Any] = {
            "match": {"prefix": prefix},
            "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
        }
        if any(each["name"] == EXT_AUTHZ for each in chain):
            route["typed_per_filter_config"] = {
                EXT_AUTHZ: {
                    "@type": f"{_TYPES}.http.ext_authz.v3.ExtAuthzPerRoute",
                    "check_settings": {"context_extensions": {"policy": policy}},
                }
            }
        routes.append(route)
    return routes


def _cluster(name: str, sockets: Sequence[Path]) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}} for socket in sockets]
    protocol = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "name": name,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
