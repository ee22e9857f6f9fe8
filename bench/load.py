"""Load from real tools, h2load and wrk, with results from the tools and /proc."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from authz.server.methods import CHECK_METHOD
from authz.tools.processes.machine import CannotRunError, envoy_command
from bench.processes import Program

TOOLS = {"h2load": "nghttp2-client", "wrk": "wrk"}
_GRPC = ("-H", "content-type:application/grpc", "-H", "te:trailers", f"http://localhost{CHECK_METHOD}")


class LoadFailed(Exception):
    """The tool or the server did not do what a measurement needs. The message contains the output."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The results of one turn of load."""

    per_second: float
    cpu_microseconds: float
    """CPU time of the servers for one request."""
    resident_mib: float
    beside_microseconds: float | None
    """Of the CPU time, that of all servers but the first. None if there is only one."""

    def cells(self) -> dict[str, float]:
        """The numbers of a row."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds from request to end of response."""

    p50: float
    p99: float
    p999: float


def require_tools() -> None:
    """Make sure the tools are there; on Debian as root they are installed. Exits with what to do otherwise."""
    try:
        envoy_command()
    except CannotRunError as problem:
        sys.exit(str(problem))
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"installing {' and '.join(missing)}")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        if subprocess.run(install, check=False, stdout=subprocess.DEVNULL).returncode == 0:
            return
    sys.exit(f"{' and '.join(missing)} must be there first. On Debian and Ubuntu: sudo {' '.join(install)}")


def measured(servers: Sequence[Program], send: Callable[[], int]) -> Sample:
    """Send load and measure the servers' CPU and memory. `send` returns the number of expected responses.

    A turn that fails is repeated once: a full run has hundreds, and one second without a processor must not cost all.
    """
    try:
        return _measured(servers, send)
    except LoadFailed as problem:
        print(f"a turn is repeated: {problem}", file=sys.stderr)
        return _measured(servers, send)


def _measured(servers: Sequence[Program], send: Callable[[], int]) -> Sample:
    before = [server.cpu_seconds() for server in servers]
    began = time.monotonic()
    answered = send()
    elapsed = time.monotonic() - began
    used = [server.cpu_seconds() - earlier for server, earlier in zip(servers, before, strict=True)]
    if answered == 0:
        raise LoadFailed("nothing was answered")
    return Sample(
        answered / elapsed,
        sum(used) / answered * 1e6,
        sum(server.resident_mib() for server in servers),
        sum(used[1:]) / answered * 1e6 if len(used) > 1 else None,
    )


def grpc_load(socket: Path, frame: Path, seconds: int, connections: int = 2, streams: int = 16) -> int:
    """Checks over a Unix socket, as many as the server answers. Returns how many it did."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "-B", f"unix:{socket}"]
    output = _run([*command, "-d", str(frame), *_GRPC])
    good = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", output)
    if good is None:
        raise LoadFailed(output[-1500:])
    return int(good[1])


def grpc_latency(socket: Path, frame: Path, seconds: int, rate: int | None, folder: Path) -> Latency:
    """One connection, one check at a time; paced at `rate` a second, or each as the one before is answered."""
    return _latency(["-B", f"unix:{socket}", "-d", str(frame), *_GRPC], seconds, rate, folder)


def http_latency(url: str, token: str, seconds: int, rate: int | None, folder: Path) -> Latency:
    """The same with HTTP/2 requests through Envoy: h2load cannot pace HTTP/1.1."""
    return _latency(["-H", f"authorization: Bearer {token}", url], seconds, rate, folder)


def http_load(
    url: str,
    headers: Sequence[str],
    seconds: int,
    connections: int,
    *,
    script: Path | None = None,
    is_refused: bool = False,
) -> int:
    """Requests through Envoy, as many as it answers. Returns how many were answered.

    Raises LoadFailed unless all were forwarded, or all refused if `is_refused`.
    """
    options = [f"-s{script}"] if script else [part for header in headers for part in ("-H", header)]
    output = _run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *options, url])
    total, others = re.search(r"(\d+) requests in", output), re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    refused = others[1] if others else "0"
    if total is None or "Socket errors" in output or refused != (total[1] if is_refused else "0"):
        raise LoadFailed(output[-1500:])
    return int(total[1])


def _latency(target: Sequence[str], seconds: int, rate: int | None, folder: Path) -> Latency:
    log = folder / "latency.tsv"  # h2load would append
    log.unlink(missing_ok=True)
    pace = [f"--rps={rate}", "-m4"] if rate else ["-m1"]
    _run(["h2load", "-t1", "-c1", *pace, f"-D{seconds}", f"--log-file={log}", *target])
    times = []
    for line in log.read_text(encoding="ascii").splitlines():
        _started, status, microseconds = line.split("\t")[:3]
        if status == "200":
            times.append(int(microseconds))
    if len(times) < 100:
        raise LoadFailed(f"h2load logged {len(times)} good answers only")
    times.sort()
    return Latency(*(float(times[int((len(times) - 1) * part)]) for part in (0.5, 0.99, 0.999)))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise LoadFailed(f"{command[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout
