"""Memory and start: an idle worker, a worker after a million different tokens, and the time until it is ready."""

from __future__ import annotations

import compileall
import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import authz
from authz.tools.processes.machine import free_port
from bench import traffic
from bench.load import LoadFailed
from bench.place import Place, Sidecar
from bench.pool import AUDIENCE, PARTNER
from bench.processes import Program, is_ready, resident_mib
from bench.progress import Progress
from bench.results import Table
from bench.streams import send_checks

IDLE = "idle worker"
MANY = "different tokens"
READY = "start to ready"
START_SECONDS = 20.0
SETTLED_SECONDS = 2.0


def memory(place: Place, progress: Progress) -> Table:
    """Resident memory of one worker: idle, and after ever more different tokens (ES256)."""
    table = Table("memory", "Resident memory of one worker")
    with place.sidecar("memory") as sidecar:
        time.sleep(SETTLED_SECONDS)
        table.row(IDLE).add(resident_mib=sidecar.program.resident_mib(), tokens=0)
        messages = _different(place)
        sent = 0
        for step in _steps(place.plan.many_tokens):
            progress.step(f"memory: {step:,} different tokens")
            sent += _send(sidecar, islice(messages, step - sent))
            row = table.row(f"after {sent:,} {MANY}")
            row.add(resident_mib=sidecar.program.resident_mib(), tokens=sent)
    return table


def start(place: Place, progress: Progress) -> Table:
    """From starting the command until `/readyz` says that every issuer has keys, fetched from a server on loopback."""
    table = Table("start", "From the command to ready, with a key server on this machine")
    compileall.compile_dir(Path(authz.__file__).parent, quiet=1)  # as pip does when it installs a package
    with _key_server(place.partner.jwks().encode()) as url:
        for number in range(place.plan.starts):
            progress.step(f"start {number + 1}/{place.plan.starts}")
            table.row(READY).add(**_start_once(place, url))
    return table


def _steps(most: int) -> list[int]:
    return [size for size in (1_000, 10_000, 100_000, 1_000_000) if size < most] + [most]


def _different(place: Place) -> Iterator[bytes]:
    requests = traffic.Requests(place.partner.token(0))
    number = 0
    while True:
        number += 1
        token = place.partner.token(number)
        yield requests.of(token)


def _send(sidecar: Sidecar, messages: Iterator[bytes]) -> int:
    counts = send_checks(sidecar.sockets[0], messages, seconds=3600)
    if counts.refused:
        raise LoadFailed(f"{counts.refused} good tokens were refused")
    return counts.allowed


@contextmanager
def _key_server(document: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _start_once(place: Place, jwks_uri: str) -> dict[str, float]:
    config, admin, socket = _configuration(place, jwks_uri), free_port(), place.folder / "start.sock"
    command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config), f"--listen=unix:{socket}"]
    log = place.folder / "start.log"
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen([*command, "--admin", f"127.0.0.1:{admin}"], stdout=output, stderr=output)
    try:
        while not is_ready(admin):
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise LoadFailed(f"authz did not get ready:\n{log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.01)
        seconds = time.monotonic() - began
        time.sleep(SETTLED_SECONDS)
        worker = Program("start", process, log).resident_mib()
        return {"seconds": seconds, "worker_mib": worker, "supervisor_mib": resident_mib(process.pid)}
    finally:
        process.terminate()
        process.wait()


def _configuration(place: Place, jwks_uri: str) -> Path:
    partner: dict[str, Any] = {"profile": "oidc", "issuer": PARTNER, "audiences": [AUDIENCE], "jwks_uri": jwks_uri}
    authz = {"issuers": {"partner": partner}, "policies": place.authz()["policies"]}
    node = {"id": "bench", "cluster": "orders-api", "metadata": {"authz": authz}}
    return place.write("start.yaml", {"node": node})
