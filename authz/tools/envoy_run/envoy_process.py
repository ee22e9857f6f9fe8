"""Trying requests on the user's own routes: the real Envoy, our checks behind it, and what each request met."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from authz.envoy.document import Document
from authz.server.engine import Service
from authz.server.methods import CHECK_METHOD
from authz.server.public import PublicServer
from authz.tools.envoy_run.derived_bootstrap import CASE_HEADER, Route, RunPaths, derive
from authz.tools.envoy_run.entrances import Entrance, choose, entrances
from authz.tools.envoy_run.fixed_upstream import MARK, echo
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, CannotRunError, envoy_command, free_ports

REQUEST_SECONDS = 30.0
FLUSH_MILLISECONDS = "20"
MAX_BODY_BYTES = 1024 * 1024

Decide = Callable[[bytes], bytes]
"""Answers one CheckRequest. Called from threads of the server."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request met."""

    status: int
    headers: Mapping[str, str]
    body: str
    question: bytes | None
    """The CheckRequest that Envoy sent about it; None where it did not ask."""
    reached_upstream: bool

    @property
    def upstream_headers(self) -> Mapping[str, str]:
        """The headers that the service behind Envoy received."""
        return dict(json.loads(self.body)["headers"]) if self.reached_upstream else {}


@dataclass(frozen=True, slots=True)
class Trace:
    """What Envoy wrote about one request in its access log."""

    route: str
    """The route's name in `Stage.routes`; empty where none matched."""
    details: str
    """Envoy's word for how the response came about: `via_upstream`, `route_not_found`, `ext_authz_denied`."""


class Stage:
    """A running rehearsal. Requests are asked one after the other."""

    def __init__(self, found: tuple[Entrance, ...], paths: RunPaths, derived: Any) -> None:
        self._found = found
        self._paths = paths
        self._asked = 0
        self.question: bytes | None = None
        self.routes: tuple[Route, ...] = derived.routes
        self.left_out: tuple[str, ...] = derived.left_out
        self.traces: list[Trace | None] = []
        """By request, in the order they were asked. Filled when the rehearsal has ended."""

    def ask(self, request: HttpRequest) -> Reply:
        """Send one request as a client would. Raises CannotRunError where there is no answer."""
        self.question = None
        headers = {"host": request.host, **request.headers, CASE_HEADER: str(self._asked)}
        self._asked += 1
        port = self._paths.ports[choose(self._found, request.host, request.port)]
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=REQUEST_SECONDS)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value.encode("utf-8"))
            connection.endheaders()
            response = connection.getresponse()
            body = response.read(MAX_BODY_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotRunError(f"Envoy gave no answer to {request.method} {request.path[:80]}: {error}") from error
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, answered, body, self.question, MARK in answered)

    def ended(self) -> None:
        """Read what Envoy wrote about the requests."""
        traces: list[Trace | None] = [None] * self._asked
        log = Path(self._paths.access_log)
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            entry = json.loads(line)
            case = str(entry.get("case") or "")
            if case.isdigit() and int(case) < self._asked:
                traces[int(case)] = Trace(entry.get("route") or "", entry.get("details") or "")
        self.traces = traces


@contextmanager
def rehearse(document: Document, decide: Decide) -> Iterator[Stage]:
    """Run the file's routes as long as the block lasts, with `decide` as the sidecar.

    Raises ConfigurationError where the routes are not in the file, CannotRunError where Envoy is missing or refuses it.
    """
    found = entrances(document)
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
        stage = Stage(found, paths, derived)
        stack.callback(stage.ended)
        configuration = folder / "envoy.yaml"
        configuration.write_text(yaml.safe_dump(derived.bootstrap, sort_keys=False), encoding="utf-8")
        children = stack.enter_context(Children(folder))
        arguments = ["-c", str(configuration), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        arguments += ["--file-flush-interval-msec", FLUSH_MILLISECONDS]
        envoy = children.start("envoy", [command, *arguments], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{paths.admin_port}/ready")
        # Only now: a process that carries gRPC calls should not fork.
        stack.enter_context(_sidecar(paths.sidecar, stage, decide))
        yield stage


@contextmanager
def _sidecar(path: str, stage: Stage, decide: Decide) -> Iterator[None]:
    """Answer Envoy's checks in this process, and keep each question."""

    def check(message: bytes, _call: object) -> bytes:
        stage.question = message
        return decide(message)

    server = PublicServer(f"unix:{path}", Service({CHECK_METHOD: check}, lambda _call: b""))
    thread = threading.Thread(target=server.serve, name="rehearsal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop(0.0)
        thread.join(REQUEST_SECONDS)
