"""Run the real Envoy with the routes of a file, send requests, and return the response and the CheckRequest of each."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from authz.envoy.document import YamlDocument
from authz.envoy.listeners import ConnectionManager
from authz.server.engine import Service
from authz.server.http2_engine import Http2Engine
from authz.server.methods import CHECK_METHOD
from authz.tools.envoy_run.checked_managers import checked_managers, choose_manager
from authz.tools.envoy_run.derived_bootstrap import (
    CASE_HEADER,
    SIDECAR_CLUSTER,
    DerivedBootstrap,
    RunPaths,
    RunRoute,
    derive,
)
from authz.tools.envoy_run.fixed_upstream import MARK, echo
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.envoy_run.shared_bootstrap import by_runtime, merged
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, CannotRunError, envoy_command, free_ports

REQUEST_SECONDS = 30.0
FLUSH_MILLISECONDS = "20"
MAX_BODY_BYTES = 1024 * 1024

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's, if PyYAML was built with it: several files are a long text."""

Decide = Callable[[bytes], bytes]
"""Answers one CheckRequest. Called from the server's threads."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one request."""

    status: int
    headers: Mapping[str, str]
    body: str
    question: bytes | None
    """The CheckRequest that Envoy sent. None if Envoy sent none."""
    reached_upstream: bool

    @property
    def upstream_headers(self) -> Mapping[str, str]:
        """The headers that the upstream received."""
        return dict(json.loads(self.body)["headers"]) if self.reached_upstream else {}


@dataclass(frozen=True, slots=True)
class AccessLogEntry:
    """Envoy's access log entry for one request."""

    route: str
    """The name of the route in `EnvoyRun.routes`. Empty if no route matched."""
    details: str
    """Envoy's RESPONSE_CODE_DETAILS: `via_upstream`, `route_not_found`, `ext_authz_denied`."""


class EnvoyRun:
    """A running Envoy. Send one request at a time."""

    def __init__(self, found: tuple[ConnectionManager, ...], paths: RunPaths, derived: DerivedBootstrap) -> None:
        self._found = found
        self.paths = paths
        self._asked = 0
        self.question: bytes | None = None
        self.routes: tuple[RunRoute, ...] = derived.routes
        self.left_out: tuple[str, ...] = derived.left_out
        self.traces: list[AccessLogEntry | None] = []
        """One per request, in the order of sending. Filled when the run has ended."""

    def ask(self, request: HttpRequest) -> Reply:
        """Send one request as a client does. Raises CannotRunError if there is no response."""
        self.question = None
        headers = {"host": request.host, **request.headers, CASE_HEADER: str(self._asked)}
        self._asked += 1
        port = self.paths.ports[choose_manager(self._found, request.host, request.port)]
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=REQUEST_SECONDS)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value.encode("utf-8"))
            connection.endheaders()
            response = connection.getresponse()
            body = response.read(MAX_BODY_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotRunError(f"Envoy did not respond to {request.method} {request.path[:80]}: {error}") from error
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, answered, body, self.question, MARK in answered)

    def ended(self) -> None:
        """Read the access log."""
        traces: list[AccessLogEntry | None] = [None] * self._asked
        log = Path(self.paths.access_log)
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            entry = json.loads(line)
            case = str(entry.get("case") or "")
            if case.isdigit() and int(case) < self._asked:
                traces[int(case)] = AccessLogEntry(entry.get("route") or "", entry.get("details") or "")
        self.traces = traces


@contextmanager
def run_envoy(document: YamlDocument, decide: Decide) -> Iterator[EnvoyRun]:
    """Run Envoy with the file's routes until the block ends. `decide` is the sidecar.

    Raises ConfigurationError if the routes are not in the file, CannotRunError if Envoy is missing or refuses the file.
    """
    with run_files([(document, decide)]) as (run,):
        yield run


@contextmanager
def run_files(files: Sequence[tuple[YamlDocument, Decide]]) -> Iterator[tuple[EnvoyRun, ...]]:
    """Run the routes of several files at the same time: one run for each file, in their order.

    Files share an Envoy if their runtime is equal. Each has its own listeners and its own sidecar. Raises as
    `run_envoy` does.
    """
    found = [checked_managers(document) for document, _decide in files]
    command = envoy_command()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp")))
        upstream_port = stack.enter_context(echo())
        runs, bootstraps = [], []
        for number, (document, _decide) in enumerate(files):
            paths = _run_paths(folder, number, upstream_port, len(found[number]))
            derived = derive(document, found[number], paths)
            run = EnvoyRun(found[number], paths, derived)
            stack.callback(run.ended)
            runs.append(run)
            bootstraps.append(derived.bootstrap)
        children = stack.enter_context(Children(folder))
        for together in by_runtime(bootstraps):
            _start_envoy(children, command, folder, merged([bootstraps[each] for each in together]))
        stack.enter_context(_sidecars([(run, decide) for run, (_document, decide) in zip(runs, files, strict=True)]))
        yield tuple(runs)


def _run_paths(folder: Path, number: int, upstream_port: int, managers: int) -> RunPaths:
    admin_port, *ports = free_ports(1 + managers)
    return RunPaths(
        sidecar=str(folder / f"{number}.sock"),
        upstream_port=upstream_port,
        admin_port=admin_port,
        ports=tuple(ports),
        access_log=str(folder / f"access-{number}.log"),
        sidecar_cluster=f"{SIDECAR_CLUSTER}-{number}",
    )


def _start_envoy(children: Children, command: str, folder: Path, bootstrap: Mapping[str, Any]) -> None:
    """Start an Envoy and wait until it is ready."""
    admin_port = bootstrap["admin"]["address"]["socket_address"]["port_value"]
    configuration = folder / f"envoy-{admin_port}.yaml"
    configuration.write_text(yaml.dump(bootstrap, Dumper=_DUMPER, sort_keys=False), encoding="utf-8")
    arguments = ["-c", str(configuration), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    arguments += ["--file-flush-interval-msec", FLUSH_MILLISECONDS]
    envoy = children.start("envoy", [command, *arguments], child_environment())
    children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin_port}/ready")


@contextmanager
def _sidecars(served: Sequence[tuple[EnvoyRun, Decide]]) -> Iterator[None]:
    """Answer the checks of each run in this process and keep each CheckRequest."""
    servers = [
        Http2Engine(f"unix:{run.paths.sidecar}", Service({CHECK_METHOD: _check(run, decide)}, lambda _call: b""))
        for run, decide in served
    ]
    threads = [threading.Thread(target=each.serve, name="envoy-run", daemon=True) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        # All stop at the same time: each waits up to a second until Envoy has closed its connection.
        for server in servers:
            server.stop(0.0)
        for thread in threads:
            thread.join(REQUEST_SECONDS)


def _check(run: EnvoyRun, decide: Decide) -> Callable[[bytes, object], bytes]:
    def check(message: bytes, _call: object) -> bytes:
        run.question = message
        return decide(message)

    return check
