"""Run the real Envoy with the routes of a file, send requests, and return the response and the CheckRequest of each."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from authz.envoy.document import YamlDocument
from authz.envoy.listeners import ConnectionManager
from authz.server.engine import Service
from authz.server.http2_engine import Http2Engine
from authz.server.methods import CHECK_METHOD
from authz.tools.envoy_run.checked_managers import checked_managers, choose_manager
from authz.tools.envoy_run.derived_bootstrap import CASE_HEADER, DerivedBootstrap, RunPaths, RunRoute, derive
from authz.tools.envoy_run.fixed_upstream import MARK, echo
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, CannotRunError, envoy_command, free_ports

REQUEST_SECONDS = 30.0
FLUSH_MILLISECONDS = "20"
MAX_BODY_BYTES = 1024 * 1024

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
        self._paths = paths
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
        port = self._paths.ports[choose_manager(self._found, request.host, request.port)]
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
        log = Path(self._paths.access_log)
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
    found = checked_managers(document)
    command = envoy_command()
    with ExitStack() as stack:
        admin_port, *ports = free_ports(1 + len(found))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp")))
        paths = RunPaths(
            sidecar=str(folder / "authz.sock"),
            upstream_port=stack.enter_context(echo()),
            admin_port=admin_port,
            ports=tuple(ports),
            access_log=str(folder / "access.log"),
        )
        derived = derive(document, found, paths)
        run = EnvoyRun(found, paths, derived)
        stack.callback(run.ended)
        configuration = folder / "envoy.yaml"
        configuration.write_text(yaml.safe_dump(derived.bootstrap, sort_keys=False), encoding="utf-8")
        children = stack.enter_context(Children(folder))
        arguments = ["-c", str(configuration), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        arguments += ["--file-flush-interval-msec", FLUSH_MILLISECONDS]
        envoy = children.start("envoy", [command, *arguments], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{paths.admin_port}/ready")
        stack.enter_context(_sidecar(paths.sidecar, run, decide))
        yield run


@contextmanager
def _sidecar(path: str, run: EnvoyRun, decide: Decide) -> Iterator[None]:
    """Answer Envoy's checks in this process and keep each CheckRequest."""

    def check(message: bytes, _call: object) -> bytes:
        run.question = message
        return decide(message)

    server = Http2Engine(f"unix:{path}", Service({CHECK_METHOD: check}, lambda _call: b""))
    thread = threading.Thread(target=server.serve, name="envoy-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop(0.0)
        thread.join(REQUEST_SECONDS)
