"""What `serve` needs from the Envoy YAML: who we are, what we trust, where we listen.

Three subtrees are read as Envoy's own messages, through envoy-data-plane, and strictly: `node`, the ext_authz filter,
and the endpoints of the cluster that it names. The rest of the file is walked as plain data and never typed, so a field
newer than the package elsewhere stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from authz.core.problems import ConfigurationError, Location, Path, Problem
from authz.envoy.document import Document, read

FILTER_TYPE = ".ext_authz.v3.ExtAuthz"
ROUTE_TYPE = ".ext_authz.v3.ExtAuthzPerRoute"
MAX_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """A `context_extensions.policy` somewhere in the file."""

    text: object
    """A string, unless somebody forgot the quotes."""
    location: Location
    path: Path


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The parts of the Envoy YAML that concern the sidecar."""

    realm: str
    authz: Mapping[str, Any]
    endpoints: tuple[str, ...]
    route_policies: tuple[RoutePolicy, ...]
    document: Document


def located(problems: tuple[Problem, ...], document: Document, root: Path) -> tuple[Problem, ...]:
    """The problems found below a root of the document, with their locations."""
    return tuple(
        replace(
            problem,
            path=(*root, *problem.path),
            location=document.locate((*root, *problem.path), on_key=problem.on_key),
        )
        for problem in problems
    )


def read_bootstrap(text: str, file: str, *, need_endpoints: bool) -> Bootstrap:
    """Read what concerns the sidecar. Raises ConfigurationError with all findings there are."""
    bootstrap, found = bootstrap_of(read(text, file), need_endpoints=need_endpoints)
    if found:
        raise ConfigurationError(found)
    return bootstrap


def bootstrap_of(document: Document, *, need_endpoints: bool) -> tuple[Bootstrap, tuple[Problem, ...]]:
    """What concerns the sidecar, with every finding; what is wrong is empty in it."""
    if not isinstance(document.data, dict):
        finding = Problem(
            (), "the file is not a mapping", "Name the Envoy YAML, with `node:` in it.", location=document.locate(())
        )
        return Bootstrap("", {}, (), (), document), (finding,)
    reading = _Reading(document)
    realm, authz = reading.node()
    endpoints = reading.endpoints() if need_endpoints else ()
    return Bootstrap(realm, authz, endpoints, tuple(reading.route_policies()), document), tuple(reading.found)


class _Reading:
    """One reading of one document, collecting findings."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Problem] = []
        self._root: dict[str, Any] = document.data

    def _wrong(self, path: Path, problem: str, fix: str, *, on_key: bool = False) -> None:
        self.found.append(Problem(path, problem, fix, on_key, self.document.locate(path, on_key=on_key)))

    def node(self) -> tuple[str, Mapping[str, Any]]:
        """The realm (`node.cluster`) and `node.metadata.authz`."""
        from envoy_data_plane.envoy.config.core.v3 import Node  # noqa: PLC0415 - slow to import

        node = self._root.get("node")
        if not isinstance(node, dict):
            self._wrong((), "node is missing", "Write `node:` with id, cluster and `metadata: { authz: ... }`.")
            return "", {}
        typed = self._typed(Node, node, ("node",))
        metadata = node.get("metadata")
        authz = metadata.get("authz") if isinstance(metadata, dict) else None
        if not isinstance(authz, dict) or not authz:
            fix = "Write issuers and policies under node.metadata.authz."
            self._wrong(("node", "metadata", "authz"), "node.metadata.authz is missing", fix)
            return "", {}
        return (typed.cluster if typed is not None else "") or "envoy", authz

    def endpoints(self) -> tuple[str, ...]:
        """Addresses of the ext_authz filter's cluster."""
        names = {name: path for path, name in self._ext_authz_clusters()}
        if not names:
            if not self.found:
                fix = "Add envoy.filters.http.ext_authz with grpc_service.envoy_grpc, or say --listen ADDRESS."
                self._wrong((), "no ext_authz filter with a gRPC cluster is in this file", fix)
            return ()
        if len(names) > 1:
            fix = "Say with --listen ADDRESS which one this sidecar serves."
            self._wrong(next(iter(names.values())), f"ext_authz filters name {len(names)} clusters", fix)
            return ()
        name, path = next(iter(names.items()))
        return self._cluster_endpoints(name, path)

    def _ext_authz_clusters(self) -> Iterator[tuple[Path, str]]:
        from envoy_data_plane.envoy.config.core.v3 import GrpcServiceEnvoyGrpc  # noqa: PLC0415 - slow to import

        for path, value in _mappings_of_type(self._root, FILTER_TYPE):
            where, service = _member(value, path, "grpc_service")
            where, envoy_grpc = _member(service, where, "envoy_grpc")
            if not envoy_grpc:
                fix = "Write grpc_service: { envoy_grpc: { cluster_name: ... } }: the sidecar speaks gRPC."
                self._wrong(path, "this ext_authz filter names no gRPC cluster", fix)
                continue
            needed = {key: item for key, item in envoy_grpc.items() if key not in {"retry_policy", "retryPolicy"}}
            typed = self._typed(GrpcServiceEnvoyGrpc, needed, where)
            if typed is not None:
                yield where, typed.cluster_name

    def _cluster_endpoints(self, name: str, named_at: Path) -> tuple[str, ...]:
        from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment  # noqa: PLC0415

        for path, cluster in self._clusters():
            if cluster.get("name") != name:
                continue
            where, assignment = _member(cluster, path, "load_assignment")
            if not assignment:
                fix = "Write load_assignment with the endpoints, one a worker."
                self._wrong(path, f"the cluster {name!r:.80} has no load_assignment", fix)
                return ()
            typed = self._typed(ClusterLoadAssignment, assignment, where)
            return self._addresses(typed, where) if typed is not None else ()
        fix = "Add it under static_resources.clusters, or say --listen ADDRESS."
        self._wrong(named_at, f"the ext_authz cluster {name!r:.80} is not in this file", fix)
        return ()

    def _clusters(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        path, resources = _member(self._root, (), "static_resources")
        clusters = resources.get("clusters")
        for index, cluster in enumerate(clusters if isinstance(clusters, list) else ()):
            if isinstance(cluster, dict):
                yield (*path, "clusters", index), cluster

    def _addresses(self, assignment: Any, path: Path) -> tuple[str, ...]:
        """Every endpoint as an address to listen on."""
        found: list[str] = []
        for group in assignment.endpoints:
            for endpoint in group.lb_endpoints:
                address = endpoint.endpoint.address if endpoint.endpoint is not None else None
                text = _address(address)
                if text is None:
                    fix = "Write a pipe, or a socket_address on 127.0.0.1: the sidecar runs beside Envoy."
                    self._wrong(path, "an endpoint of the ext_authz cluster is not local", fix)
                elif text.startswith("unix:") and len(text.encode()) - len("unix:") > MAX_SOCKET_PATH_BYTES:
                    problem = f"the socket path is longer than {MAX_SOCKET_PATH_BYTES} bytes"
                    self._wrong(path, problem, "Choose a shorter one, such as /run/authz/authz.sock.")
                else:
                    found.append(text)
        if not found and not self.found:
            fix = "Add an endpoint with a pipe or a socket_address, one a worker."
            self._wrong(path, "the ext_authz cluster has no endpoints", fix)
        return tuple(dict.fromkeys(found))

    def route_policies(self) -> Iterator[RoutePolicy]:
        """Every `context_extensions.policy` in the file."""
        for path, value in _mappings_of_type(self._root, ROUTE_TYPE):
            where, settings = _member(value, path, "check_settings")
            where, extensions = _member(settings, where, "context_extensions")
            text = extensions.get("policy")
            if text is not None:
                yield RoutePolicy(text, self.document.locate((*where, "policy")), (*where, "policy"))

    def _typed(self, message: Any, value: Mapping[str, Any], path: Path) -> Any:
        """The value as a typed message, or None with findings."""
        from authz.envoy.typed import mistakes_in  # noqa: PLC0415 - it reads the message's types

        found = tuple(mistakes_in(message, value, path))
        for mistake in found:
            self._wrong(mistake.path, mistake.message, mistake.fix, on_key=mistake.on_key)
        return None if found else message.from_dict(value)


def _member(value: Mapping[str, Any], path: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """A mapping below this one, in either spelling of the protobuf JSON format; empty where it is not there."""
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    key = camel if camel in value else name
    member = value.get(key)
    return (*path, key), member if isinstance(member, dict) else {}


def _address(address: Any) -> str | None:
    """`unix:/path` or `host:port` of an Envoy Address; None for one that is not local."""
    if address is None:
        return None
    if address.pipe is not None and address.pipe.path.startswith("/"):
        return f"unix:{address.pipe.path}"
    socket = address.socket_address
    if socket is None or not socket.port_value:
        return None
    if socket.address == "::1":
        return f"[::1]:{socket.port_value}"
    return f"{socket.address}:{socket.port_value}" if socket.address.startswith("127.") else None


def _mappings_of_type(value: Any, ending: str, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping whose `@type` ends so, wherever it stands."""
    if isinstance(value, dict):
        if str(value.get("@type", "")).endswith(ending):
            yield path, value
        for key, item in value.items():
            yield from _mappings_of_type(item, ending, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mappings_of_type(item, ending, (*path, index))
