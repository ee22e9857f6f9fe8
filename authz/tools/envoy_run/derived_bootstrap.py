"""An Envoy YAML made ready to be tried here: its routes and the filters that look at requests stay as they are.

What reaches outside is replaced or left out: addresses, TLS, upstreams, secrets, logins. Each filter that is left out
is named, so that nobody takes a rehearsal for more than it is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.problems import ConfigurationError, Location, Path
from authz.envoy.document import Document
from authz.tools.envoy_run.entrances import EXT_AUTHZ, Entrance
from authz.tools.envoy_run.fields import each_of, is_message, member, without
from authz.tools.processes.machine import LOOPBACK

CASE_HEADER = "x-authz-case"
"""Names the request in the rehearsal's access log."""

SIDECAR_CLUSTER = "authz-rehearsal"
SIDECAR_SECONDS = 10
"""How long Envoy waits for a decision here: a fetch of keys may be part of it."""

_KEPT = (
    EXT_AUTHZ,
    ".router.v3.Router",
    ".header_mutation.v3.HeaderMutation",
    ".cors.v3.Cors",
    ".csrf.v3.CsrfPolicy",
    ".rbac.v3.RBAC",
    ".header_to_metadata.v3.Config",
    ".set_metadata.v3.Config",
    ".health_check.v3.HealthCheck",
    ".grpc_web.v3.GrpcWeb",
    ".lua.v3.Lua",
)
"""Filters that need nothing but the request. Others, such as a login, cannot be had here or would answer instead."""

_LEFT_OUT = (
    "access_log",
    "local_reply_config",
    "access_log_options",
    "tracing",
    "upgrade_configs",
    "http3_protocol_options",
    "codec_type",
)
_TYPE = "type.googleapis.com/envoy."


@dataclass(frozen=True, slots=True)
class RunPaths:
    """What stands in for the world outside of the file."""

    sidecar: str
    """The path of the socket that checks go to."""
    upstream_port: int
    admin_port: int
    ports: tuple[int, ...]
    """To listen on, one an entrance."""
    access_log: str


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the file, by the name it has in a rehearsal."""

    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class Derived:
    """A bootstrap to start Envoy with."""

    bootstrap: Mapping[str, Any]
    routes: tuple[Route, ...]
    """Every route that can be seen in the file."""
    left_out: tuple[str, ...]
    """Names of HTTP filters that do not run here."""


def derive(document: Document, found: tuple[Entrance, ...], paths: RunPaths) -> Derived:
    """The bootstrap of the rehearsal. Raises ConfigurationError."""
    routes: list[Route] = []
    left_out: dict[str, None] = {}
    managers = [_manager(document, entrance, paths, routes, left_out) for entrance in found]
    listeners = [_listener(manager, port) for manager, port in zip(managers, paths.ports, strict=True)]
    clusters = [_cluster(name, _socket(paths.upstream_port)) for name in sorted(_cluster_names(document, managers))]
    sidecar = _cluster(SIDECAR_CLUSTER, {"pipe": {"path": paths.sidecar}})
    sidecar["typed_extension_protocol_options"] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    bootstrap = {
        "node": {"id": "rehearsal", "cluster": "rehearsal"},
        "admin": {"address": _socket(paths.admin_port)},
        "layered_runtime": {"layers": _static_layers(document.data)},
        "static_resources": {"listeners": listeners, "clusters": [*clusters, sidecar]},
    }
    return Derived(bootstrap, tuple(routes), tuple(left_out))


def _manager(
    document: Document, entrance: Entrance, paths: RunPaths, routes: list[Route], left_out: dict[str, None]
) -> dict[str, Any]:
    """The connection manager with what reaches outside taken away."""
    manager = without(copy.deepcopy(dict(entrance.manager)), *_LEFT_OUT)
    route_config = member(manager, "route_config")
    if not isinstance(route_config, dict):
        fix = "Ask a file with `route_config` in it, or name the policy instead of the request."
        raise ConfigurationError.because(
            "the routes come from RDS and cannot be seen here", fix, document.locate(entrance.path)
        )
    kept = []
    for _key, _index, each in each_of(manager, "http_filters"):
        config, name = member(each, "typed_config"), str(each.get("name", ""))
        if not any(is_message(config, ending) for ending in _KEPT):
            left_out[name] = None
            continue
        if is_message(config, EXT_AUTHZ):
            _ask_the_rehearsal(config, document.locate(entrance.path))
        kept.append(each)
    names = frozenset(str(each.get("name", "")) for each in kept)
    _keep_per_filter(route_config, names)
    routes += _name_routes(document, route_config, (*entrance.path, "route_config"))
    without(manager, "http_filters")
    return manager | {"http_filters": kept, "stat_prefix": "rehearsal", "access_log": [_access_log(paths)]}


def _ask_the_rehearsal(config: dict[str, Any], location: Location) -> None:
    if member(config, "http_service") is not None:
        fix = "Write grpc_service: { envoy_grpc: { cluster_name: ... } }: the sidecar speaks gRPC."
        raise ConfigurationError.because("the ext_authz filter asks over HTTP", fix, location)
    without(config, "grpc_service")
    config["grpc_service"] = {"envoy_grpc": {"cluster_name": SIDECAR_CLUSTER}, "timeout": f"{SIDECAR_SECONDS}s"}


def _keep_per_filter(value: Any, names: frozenset[str]) -> None:
    """Drop per-route settings of filters that do not run; redirects to TLS would have nowhere to go."""
    if isinstance(value, dict):
        without(value, "require_tls")
        for key in ("typed_per_filter_config", "typedPerFilterConfig"):
            settings = value.get(key)
            if isinstance(settings, dict):
                value[key] = {name: item for name, item in settings.items() if name in names}
        for item in value.values():
            _keep_per_filter(item, names)
    elif isinstance(value, list):
        for item in value:
            _keep_per_filter(item, names)


def _name_routes(document: Document, route_config: dict[str, Any], path: Path) -> Iterator[Route]:
    """Give every route a name that leads back to its line."""
    for hosts_key, host_index, host in each_of(route_config, "virtual_hosts"):
        for key, index, route in each_of(host, "routes"):
            location = document.locate((*path, hosts_key, host_index, key, index))
            route["name"] = f"{host.get('name', host_index)}[{index}] {location.line}:{location.column}"
            yield Route(str(route["name"]), location)


def _cluster_names(document: Document, managers: list[dict[str, Any]]) -> set[str]:
    """Every cluster that the file has or that a route names: each becomes the stand-in."""
    own = {str(each.get("name")) for _, _, each in each_of(member(document.data, "static_resources"), "clusters")}
    return own | {name for manager in managers for name in _named_clusters(manager)}


def _named_clusters(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "cluster" and isinstance(item, str):
                yield item
            yield from _named_clusters(item)
        weighted = member(member(value, "weighted_clusters"), "clusters")
        for each in weighted if isinstance(weighted, list) else ():
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                yield each["name"]
    elif isinstance(value, list):
        for item in value:
            yield from _named_clusters(item)


def _static_layers(root: Any) -> list[dict[str, Any]]:
    layers = each_of(member(root, "layered_runtime"), "layers")
    return [layer for _key, _index, layer in layers if member(layer, "static_layer") is not None]


def _listener(manager: dict[str, Any], port: int) -> dict[str, Any]:
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": f"entrance-{port}", "address": _socket(port), "filter_chains": [{"filters": [network_filter]}]}


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": address}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "connect_timeout": "5s", "load_assignment": assignment}


def _socket(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _access_log(paths: RunPaths) -> dict[str, Any]:
    fields = {
        "case": f"%REQ({CASE_HEADER})%",
        "route": "%ROUTE_NAME%",
        "details": "%RESPONSE_CODE_DETAILS%",
    }
    config = {
        "@type": f"{_TYPE}extensions.access_loggers.file.v3.FileAccessLog",
        "path": paths.access_log,
        "log_format": {"json_format": fields},
    }
    return {"name": "envoy.access_loggers.file", "typed_config": config}
