"""Istio's configuration generator and ADS server, fed from a file, with upstream Envoy as the gateway's proxy."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from authz.tools.processes.children import Child, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port
from tests.fakes.waiting import until
from tests.planes.build import ISTIO
from tests.planes.plane import APPLY_SECONDS, Plane, find
from tests.planes.scene import HOST, ROOT, Document, scene

_GROUP = "networking.istio.io"
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_NAMESPACE = "istio-ingress"
_UPSTREAM = "orders-api.default.svc.cluster.local"
_POD = "127.0.0.9"
"""The gateway's own address. With the upstream's, the generator would take the upstream for the gateway's Service."""
_VERSION = "1.31.0"
_HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_ENVIRONMENT = {
    # Filters that only istio-proxy has.
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_DISABLE_MX_ALPN": "true",
}


class Istio(Plane):
    """The generator and an Envoy that takes its configuration from it."""

    name = "istio"
    generator: Child
    ads_port: int
    admin_port: int

    def kinds(self) -> frozenset[str]:
        return frozenset({"Gateway", "ServiceEntry", "VirtualService", "AuthorizationPolicy", "EnvoyFilter"})

    @property
    def file(self) -> Path:
        return self.scene.directory / "resources.yaml"

    def write(self, documents: list[Document]) -> None:
        """Add the upstream. The listener is plain HTTP: istio-agent, which hands certificates to Envoy, is not here."""
        resources = copy.deepcopy(documents)
        for each in resources:
            for server in each["spec"].get("servers", []) if each["kind"] == "Gateway" else []:
                server["port"] |= {"number": self.scene.port, "name": "http", "protocol": "HTTP"}
                server.pop("tls", None)
        port = {"number": 8080, "name": "http", "protocol": "HTTP", "targetPort": self.scene.upstream_port}
        spec = {"hosts": [_UPSTREAM], "resolution": "STATIC", "ports": [port], "endpoints": [{"address": LOOPBACK}]}
        resources.append(_resource("ServiceEntry", "orders-api", spec))
        new = self.file.with_suffix(".new")
        new.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
        new.replace(self.file)

    def marker(self, path: str) -> list[Document]:
        """Three things that arrive apart: a route, and one header each from the listener's and the routes' patches."""
        destination = {"host": _UPSTREAM, "port": {"number": 8080}}
        http = [{"name": "marker", "match": [{"uri": {"exact": path}}], "route": [{"destination": destination}]}]
        hosts, listener = copy.deepcopy(
            find(self.shipped, "EnvoyFilter", "orders-gateway")["spec"]["configPatches"][:2]
        )
        hosts["patch"]["value"] = {"response_headers_to_add": [{"header": {"key": "x-applied", "value": path}}]}
        listener["patch"]["value"]["typed_config"] = {"@type": _MANAGER, "via": path}
        patches = {"configPatches": [hosts, listener]}
        return [
            _resource("VirtualService", "marker", {"hosts": [HOST], "gateways": ["orders"], "http": http}),
            _resource("EnvoyFilter", "marker", patches) | {"apiVersion": f"{_GROUP}/v1alpha3"},
        ]

    def is_applied(self, path: str) -> bool:
        headers = self.ask("GET", path).headers
        return super().is_applied(path) and headers.get("via") == path == headers.get("x-applied")

    def name_policy(self, documents: list[Document], route: str, policy: str, *, key: str = "policy") -> None:
        for patch in find(documents, "EnvoyFilter", "orders-policies")["spec"]["configPatches"]:
            if patch["match"]["routeConfiguration"]["vhost"]["route"]["name"] == route:
                (filter_config,) = patch["patch"]["value"]["typed_per_filter_config"].values()
                filter_config["check_settings"]["context_extensions"] = {key: policy}

    def admin(self) -> int:
        return self.admin_port

    def refusals(self) -> str:
        return self.generator.log.read_text(encoding="utf-8", errors="replace")

    def mesh(self) -> Document:
        """The mesh configuration of deploy/istio/istiod-values.yaml."""
        values = yaml.safe_load((ROOT / "deploy" / "istio" / "istiod-values.yaml").read_text(encoding="utf-8"))
        return {"defaultConfig": {"discoveryAddress": f"{LOOPBACK}:{self.ads_port}"}, **values["meshConfig"]}


def _resource(kind: str, name: str, spec: Document) -> Document:
    metadata = {"name": name, "namespace": _NAMESPACE}
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}


@contextmanager
def istio() -> Iterator[Istio]:
    """deploy/istio, applied."""
    with scene("istio", tls=False) as around:
        plane = Istio(around)
        plane.ads_port, plane.admin_port = free_port(), free_port()
        mesh, bootstrap = around.directory / "mesh.yaml", around.directory / "bootstrap.yaml"
        mesh.write_text(yaml.safe_dump(plane.mesh()), encoding="utf-8")
        plane.write(plane.shipped)
        command = [str(ISTIO.path), str(mesh), str(plane.file), f"{LOOPBACK}:{plane.ads_port}"]
        plane.generator = around.children.start("istio-generator", command, child_environment(**_ENVIRONMENT))
        labels = find(plane.shipped, "Gateway", "orders")["spec"]["selector"]
        bootstrap.write_text(yaml.safe_dump(_bootstrap(plane, labels)), encoding="utf-8")
        arguments = ["-c", str(bootstrap), "--log-level", "warning", "--concurrency", "1", "--use-dynamic-base-id"]
        envoy = around.children.start("envoy", [envoy_command(), *arguments], child_environment())
        until(lambda: _ended(plane.generator, envoy) or plane.ask("GET", "/").status, APPLY_SECONDS)
        around.children.check()
        yield plane


def _ended(*children: Child) -> bool:
    return any(child.process.poll() is not None for child in children)


def _bootstrap(plane: Istio, labels: Document) -> Document:
    """As istio-agent writes it, as far as the generator looks at it: node, ADS, and nothing static but its cluster."""
    http2 = {"@type": f"type.googleapis.com/{_HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
    endpoint = {"endpoint": {"address": _address(plane.ads_port)}}
    metadata = {"NAMESPACE": _NAMESPACE, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": _VERSION, "LABELS": labels}
    return {
        "node": {
            "id": f"router~{_POD}~gateway.{_NAMESPACE}~{_NAMESPACE}.svc.cluster.local",
            "cluster": f"orders-gateway.{_NAMESPACE}",
            "metadata": metadata,
        },
        "admin": {"address": _address(plane.admin_port)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "typed_extension_protocol_options": {_HTTP2: http2},
                    "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ]
        },
    }


def _address(port: int) -> Document:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
