"""All processes of the demo, started in order and stopped together: emulator, upstream, sidecar, Envoy."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authz.tools.demo.cognito_emulator import start_emulator
from authz.tools.demo.echo_service import upstream
from authz.tools.demo.provision import Pool, provision
from authz.tools.demo.proxy import Place, start_envoy, write_configuration
from authz.tools.demo.requirements import require_packages, shipped_envoy_yaml
from authz.tools.demo.try_out import TryOut
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port, port_owner

MAX_DIRECTORY_LENGTH = 80
"""Socket paths end at 107 characters; this leaves room for the socket's name."""

READY_SECONDS = 30.0
"""A sidecar is ready in about two seconds. With ten busy processes on two cores it took more than ten."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running demo."""

    place: Place
    pool: Pool
    children: Children
    envoy: Child
    sidecar: Child
    sidecar_admin: str
    """The sidecar's admin address, `http://127.0.0.1:PORT`."""


@contextmanager
def running(
    preferred_port: int = 0, login_port: int = 0, *, say: Callable[[str], None] = lambda _: None
) -> Iterator[Stack]:
    """Start all processes; stop them when the block ends. Raises CannotRunError if one is missing or fails."""
    require_packages()
    envoy_command()
    with _directory() as directory, Children(directory) as children:
        port, emulator_port = _port(preferred_port, say), _port(login_port, say)
        cognito = start_emulator(children, directory, emulator_port)
        place = Place(directory, cognito, port, admin_port=free_port(), upstream_port=free_port())
        pool = provision(cognito, place.home)
        write_configuration(shipped_envoy_yaml(), place, pool)
        try_out = TryOut(place, pool)
        with upstream(place.upstream_port, try_out.page):
            sidecar, admin = start_sidecar(children, place.configuration)
            try_out.sidecar = sidecar
            envoy = start_envoy(children, place)
            yield Stack(place, pool, children, envoy, sidecar, admin)


def _port(preferred: int, say: Callable[[str], None]) -> int:
    """The preferred port, or another one if it is taken."""
    port = free_port(preferred)
    if preferred not in (0, port):
        owner = port_owner(preferred)
        say(f"port {preferred} is taken{f' by {owner}' if owner else ''}: using {port}")
    return port


def start_sidecar(children: Children, configuration: Path, name: str = "authz") -> tuple[Child, str]:
    """Start `authz serve` for an Envoy configuration and wait until it can verify tokens. Returns its admin address."""
    admin = f"{LOOPBACK}:{free_port()}"
    command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(configuration), "--admin", admin]
    # The package this runs from, installed or not.
    environment = child_environment(PYTHONPATH=str(Path(__file__).parents[3]))
    sidecar = children.start(name, command, environment)
    children.wait_until_ready(sidecar, f"http://{admin}/readyz", READY_SECONDS)
    return sidecar, f"http://{admin}"


@contextmanager
def _directory() -> Iterator[Path]:
    """A temporary directory for sockets, secrets and logs, deleted when the block ends."""
    path = tempfile.mkdtemp(prefix="authz-demo-")
    if len(path) > MAX_DIRECTORY_LENGTH:
        Path(path).rmdir()
        path = tempfile.mkdtemp(prefix="authz-demo-", dir="/tmp")
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
