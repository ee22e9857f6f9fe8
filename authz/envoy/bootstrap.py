"""What `serve` needs from the Envoy YAML: the realm, issuers and policies, and the addresses to listen on.

Three parts are checked against Envoy's own messages (envoy-data-plane): `node`, the cluster name in the ext_authz
filter, and the endpoints of that cluster. Nothing else is checked, so a field that is newer than the package does not
stop the sidecar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from authz.core.problems import ConfigurationError, Location, Path, Problem
from authz.core.socket_path import MAX_SOCKET_PATH_BYTES, is_too_long
from authz.envoy.clusters import Cluster
from authz.envoy.document import YamlDocument, read
from authz.envoy.fields import Fields, field_name
from authz.envoy.resources import Resources

FILTER_TYPE = ".ext_authz.v3.ExtAuthz"
ROUTE_TYPE = ".ext_authz.v3.ExtAuthzPerRoute"


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """A `context_extensions.policy` in the file."""

    text: object
    """A string, unless the quotes are missing and YAML makes it a number or a mapping."""
    location: Location
    path: Path


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The parts of the Envoy YAML that configure the sidecar."""

    realm: str
    authz: Mapping[str, Any]
    endpoints: tuple[str, ...]
    route_policies: tuple[RoutePolicy, ...]
    document: YamlDocument


def located(problems: tuple[Problem, ...], document: YamlDocument, root: Path) -> tuple[Problem, ...]:
    """Add locations to problems whose paths begin at `root`."""
    return tuple(
        replace(
            problem,
            path=(*root, *problem.path),
            location=document.locate((*root, *problem.path), on_key=problem.on_key),
        )
        for problem in problems
    )


def read_bootstrap(text: str, file: str, *, need_endpoints: bool) -> Bootstrap:
    """Read the sidecar's configuration. Raises ConfigurationError with every problem."""
    bootstrap, found = bootstrap_of(Resources(read(text, file)), need_endpoints=need_endpoints)
    if found:
        raise ConfigurationError(found)
    return bootstrap


def bootstrap_of(resources: Resources, *, need_endpoints: bool) -> tuple[Bootstrap, tuple[Problem, ...]]:
    """Return the sidecar's configuration and every problem. Parts with a problem are empty."""
    document = resources.document
    if not isinstance(document.data, dict):
        finding = Problem(
            (), "the file is not a mapping", "Name the Envoy YAML, with `node:` in it.", location=document.locate(())
        )
        return Bootstrap("", {}, (), (), document), (finding,)
    reader = _BootstrapReader(resources)
    realm, authz = reader.node()
    endpoints = reader.endpoints() if need_endpoints else ()
    return Bootstrap(realm, authz, endpoints, tuple(reader.route_policies()), document), tuple(reader.found)


class _BootstrapReader:
    """Reads one document and collects problems."""

    def __init__(self, resources: Resources) -> None:
        self.found: list[Problem] = []
        self._resources = resources
        self._document = resources.document

    def _wrong(self, path: Path, problem: str, fix: str, *, on_key: bool = False) -> None:
        self.found.append(Problem(path, problem, fix, on_key, self._document.locate(path, on_key=on_key)))

    def node(self) -> tuple[str, Mapping[str, Any]]:
        """Return the realm (`node.cluster`) and `node.metadata.authz`."""
        root = self._resources.root
        if not isinstance(root.value.get("node"), dict):
            self._wrong((), "node is missing", "Write `node:` with id, cluster and `metadata: { authz: ... }`.")
            return "", {}
        node = root.get("node")
        is_valid = self._check("core.v3", "Node", node)
        authz = node.get("metadata").get("authz")
        if not authz:
            fix = "Write issuers and policies under node.metadata.authz."
            self._wrong(("node", "metadata", "authz"), "node.metadata.authz is missing", fix)
            return "", {}
        return (node.text("cluster") if is_valid else "") or "envoy", authz.value

    def endpoints(self) -> tuple[str, ...]:
        """Return the addresses of the ext_authz filter's cluster."""
        names = {name: path for path, name in self._ext_authz_clusters() if name in self._resources.own_clusters}
        if not names:
            if not self.found:
                fix = "Add envoy.filters.http.ext_authz with grpc_service.envoy_grpc, or use --listen ADDRESS."
                self._wrong((), "this file has no ext_authz filter with a gRPC cluster", fix)
            return ()
        clusters = [self._resources.clusters.get(name) for name in names]
        if len(names) > 1 and len({_places(each) for each in clusters}) > 1:
            fix = "Use --listen ADDRESS to choose the cluster of this sidecar."
            self._wrong(next(iter(names.values())), f"ext_authz filters name {len(names)} clusters", fix)
            return ()
        name, path = next(iter(names.items()))
        cluster = self._resources.clusters.get(name)
        if cluster is not None:
            return self._cluster_endpoints(cluster)
        fix = "Add it under static_resources.clusters, or use --listen ADDRESS."
        self._wrong(path, f"the ext_authz cluster {name!r:.80} is not in this file", fix)
        return ()

    def _ext_authz_clusters(self) -> Iterator[tuple[Path, str]]:
        for config in self._resources.messages(FILTER_TYPE):
            envoy_grpc = config.get("grpc_service", "envoy_grpc")
            if not envoy_grpc and self._resources.own_clusters:
                continue  # another service's filter: the sidecar has one with gRPC
            if not envoy_grpc:
                fix = "Write grpc_service: { envoy_grpc: { cluster_name: ... } }. The sidecar speaks gRPC."
                self._wrong(config.path, "this ext_authz filter names no gRPC cluster", fix)
                continue
            # Envoy accepts and ignores a retry policy here. Lint reports it (AUTHZ506); it must not stop the sidecar.
            needed = {key: item for key, item in envoy_grpc.value.items() if field_name(key) != "retry_policy"}
            if self._check("core.v3", "GrpcServiceEnvoyGrpc", Fields(needed, envoy_grpc.path)):
                yield envoy_grpc.path, envoy_grpc.text("cluster_name")

    def _cluster_endpoints(self, cluster: Cluster) -> tuple[str, ...]:
        assignment = cluster.assignment
        if not assignment:
            fix = "Write load_assignment with one endpoint per worker."
            self._wrong(cluster.fields.path, f"the cluster {cluster.name!r:.80} has no load_assignment", fix)
            return ()
        if not self._check("endpoint.v3", "ClusterLoadAssignment", assignment):
            return ()
        found: list[str] = []
        for address in cluster.addresses:
            text = _address(address)
            if text is None:
                fix = "Write a pipe, or a socket_address on 127.0.0.1. The sidecar runs on the same host as Envoy."
                self._wrong(address.path, "an endpoint of the ext_authz cluster is not local", fix)
            elif text.startswith("unix:") and is_too_long(text.removeprefix("unix:").encode()):
                problem = f"the socket path is longer than {MAX_SOCKET_PATH_BYTES} bytes"
                self._wrong(address.path, problem, "Choose a shorter path, such as /run/authz/authz.sock.")
            else:
                found.append(text)
        if not found and not self.found:
            fix = "Add one endpoint per worker, each with a pipe or a socket_address."
            self._wrong(assignment.path, "the ext_authz cluster has no endpoints", fix)
        return tuple(dict.fromkeys(found))

    def route_policies(self) -> Iterator[RoutePolicy]:
        """Yield every `context_extensions.policy` in the file."""
        for override in self._resources.messages(ROUTE_TYPE):
            extensions = override.get("check_settings", "context_extensions")
            text = extensions.value.get("policy")
            if text is not None:
                path = (*extensions.path, "policy")
                yield RoutePolicy(text, self._document.locate(path), path)

    def _check(self, package: str, name: str, fields: Fields) -> bool:
        """Whether the fields are a valid Envoy message. Records the problems."""
        from authz.envoy.typed import field_problems  # noqa: PLC0415 - reads the table of Envoy's messages

        found = tuple(field_problems(f"envoy.config.{package}.{name}", fields.value, fields.path))
        for problem in found:
            self._wrong(problem.path, problem.message, problem.fix, on_key=problem.on_key)
        return not found


def _places(cluster: Cluster | None) -> tuple[str | None, ...]:
    """The addresses of a cluster. A control plane writes one cluster per policy, all with the same address."""
    return tuple(map(_address, cluster.addresses)) if cluster is not None else ()


def _address(address: Fields) -> str | None:
    """Return `unix:/path` or `host:port` of an Envoy Address. None if it is not local."""
    path = address.get("pipe").text("path")
    if path.startswith("/"):
        return f"unix:{path}"
    socket = address.get("socket_address")
    host, port = socket.text("address"), socket.raw("port_value")
    if not port:
        return None
    if host == "::1":
        return f"[::1]:{int(port)}"
    return f"{host}:{int(port)}" if host.startswith("127.") else None
