"""Derive a bootstrap that runs on loopback from an Envoy YAML. Routes and request filters stay unchanged.

Everything that needs the network is replaced or removed: addresses, TLS, upstreams, secrets and logins. The result
names each removed filter, because the run says nothing about it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.problems import ConfigurationError, Location
from authz.envoy.document import YamlDocument
from authz.envoy.fields import Fields, drop_fields
from authz.envoy.listeners import ConnectionManager
from authz.tools.processes.machine import LOOPBACK

CASE_HEADER = "x-authz-case"
"""Identifies the request in the access log of the run."""

SIDECAR_CLUSTER = "authz-run"
SIDECAR_SECONDS = 10
"""Envoy's timeout for a decision. Longer than in production: a decision can include a key fetch."""

EXT_AUTHZ_TYPE = ".ext_authz.v3.ExtAuthz"
_KEPT = (
    EXT_AUTHZ_TYPE,
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
"""Filters that need only the request. Others, such as a login, need the network or answer themselves."""

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
    """Sockets and files of one run."""

    sidecar: str
    """Path of the socket that receives the checks."""
    upstream_port: int
    admin_port: int
    ports: tuple[int, ...]
    """Ports to listen on, one per connection manager."""
    access_log: str
    sidecar_cluster: str = SIDECAR_CLUSTER
    """Another name for each file, if several files share an Envoy."""


@dataclass(frozen=True, slots=True)
class RunRoute:
    """One route of the file, and its name in the run."""

    name: str
    location: Location


@dataclass(frozen=True, slots=True)
class DerivedBootstrap:
    """A bootstrap for the run."""

    bootstrap: Mapping[str, Any]
    routes: tuple[RunRoute, ...]
    """Every route in the file."""
    left_out: tuple[str, ...]
    """Names of removed HTTP filters."""


def derive(document: YamlDocument, found: tuple[ConnectionManager, ...], paths: RunPaths) -> DerivedBootstrap:
    """Build the bootstrap of the run. Raises ConfigurationError."""
    routes: list[RunRoute] = []
    left_out: dict[str, None] = {}
    managers = [_manager(document, original, paths, routes, left_out) for original in found]
    listeners = [_listener(manager, port) for manager, port in zip(managers, paths.ports, strict=True)]
    clusters = [_cluster(name, _socket(paths.upstream_port)) for name in sorted(_cluster_names(document, managers))]
    sidecar = _cluster(paths.sidecar_cluster, {"pipe": {"path": paths.sidecar}})
    sidecar["typed_extension_protocol_options"] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    bootstrap = {
        "node": {"id": "run", "cluster": "run"},
        "admin": {"address": _socket(paths.admin_port)},
        "layered_runtime": {"layers": _static_layers(document.data)},
        "static_resources": {"listeners": listeners, "clusters": [*clusters, sidecar]},
    }
    return DerivedBootstrap(bootstrap, tuple(routes), tuple(left_out))


def _manager(
    document: YamlDocument,
    original: ConnectionManager,
    paths: RunPaths,
    routes: list[RunRoute],
    left_out: dict[str, None],
) -> dict[str, Any]:
    """Copy a connection manager without the parts that need the network."""
    path = original.fields.path
    copied = Fields(drop_fields(copy.deepcopy(dict(original.fields.value)), *_LEFT_OUT), path)
    table = copied.get("route_config")
    if not isinstance(copied.raw("route_config"), dict):
        fix = "Use a file with `route_config` in it, or name the policy instead of the request."
        raise ConfigurationError.because(
            "the routes come from RDS and are not in this file", fix, document.locate(path)
        )
    kept = []
    for each in copied.each("http_filters"):
        config, name = each.get("typed_config"), each.text("name")
        if not config.type_url.endswith(_KEPT):
            left_out[name] = None
            continue
        if config.type_url.endswith(EXT_AUTHZ_TYPE):
            _use_run_sidecar(config, paths.sidecar_cluster, document.locate(path))
        kept.append(each.value)
    names = frozenset(str(each.get("name", "")) for each in kept)
    _keep_per_filter(dict(table.value), names)
    routes += _name_routes(document, table)
    manager = drop_fields(dict(copied.value), "http_filters")
    return manager | {"http_filters": kept, "stat_prefix": "run", "access_log": [_access_log(paths)]}


def _use_run_sidecar(fields: Fields, cluster: str, location: Location) -> None:
    """Send the checks of an ext_authz filter to the socket of the run."""
    if fields.raw("http_service") is not None:
        fix = "Write grpc_service: { envoy_grpc: { cluster_name: ... } }. The sidecar speaks gRPC."
        raise ConfigurationError.because("the ext_authz filter uses HTTP", fix, location)
    config = fields.editable()
    drop_fields(config, "grpc_service")
    config["grpc_service"] = {"envoy_grpc": {"cluster_name": cluster}, "timeout": f"{SIDECAR_SECONDS}s"}


def _keep_per_filter(value: Any, names: frozenset[str]) -> None:
    """Remove per-route settings of removed filters, and redirects to TLS: the run has no TLS."""
    if isinstance(value, dict):
        drop_fields(value, "require_tls")
        for key in ("typed_per_filter_config", "typedPerFilterConfig"):
            settings = value.get(key)
            if isinstance(settings, dict):
                value[key] = {name: item for name, item in settings.items() if name in names}
        for item in value.values():
            _keep_per_filter(item, names)
    elif isinstance(value, list):
        for item in value:
            _keep_per_filter(item, names)


def _name_routes(document: YamlDocument, table: Fields) -> Iterator[RunRoute]:
    """Give every route a name with its line and column. The access log shows the name."""
    for host in table.each("virtual_hosts"):
        for route in host.each("routes"):
            location = document.locate(route.path)
            host_name = host.value.get("name", host.path[-1])
            name = f"{host_name}[{route.path[-1]}] {location.line}:{location.column}"
            route.editable()["name"] = name
            yield RunRoute(name, location)


def _cluster_names(document: YamlDocument, managers: list[dict[str, Any]]) -> set[str]:
    """Return every cluster that the file defines or a route names. All of them get the fixed upstream."""
    clusters = Fields.root(document.data).get("static_resources").each("clusters")
    own = {str(each.value.get("name")) for each in clusters}
    return own | {name for manager in managers for name in _named_clusters(Fields(manager))}


def _named_clusters(manager: Fields) -> Iterator[str]:
    for each in manager.inside():
        if isinstance(each.value.get("cluster"), str):
            yield each.text("cluster")
        for weighted in each.get("weighted_clusters").each("clusters"):
            if isinstance(weighted.value.get("name"), str):
                yield weighted.text("name")


def _static_layers(root: Any) -> list[dict[str, Any]]:
    layers = Fields.root(root).get("layered_runtime").each("layers")
    return [dict(layer.value) for layer in layers if layer.raw("static_layer") is not None]


def _listener(manager: dict[str, Any], port: int) -> dict[str, Any]:
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": f"listener-{port}", "address": _socket(port), "filter_chains": [{"filters": [network_filter]}]}


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
