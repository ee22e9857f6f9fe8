"""Whether everything the demo needs is installed, and where a free port is. What is missing is named with its cure."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
from pathlib import Path

INSTALL = "pip install 'envoy-jwt-authz[demo]'"
LOOPBACK = "127.0.0.1"

_SHIPPED_IN_WHEEL = Path(__file__).with_name("envoy.yaml")
_SHIPPED_IN_CHECKOUT = Path(__file__).parents[2] / "deploy" / "envoy.yaml"


class CannotRunError(Exception):
    """The demo cannot go on. The message says why and what to do about it."""


def require_packages() -> None:
    """Check that the Cognito stand-in and the AWS client can be imported. Raises CannotRunError."""
    missing = [name for name in ("ministack", "boto3") if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotRunError(f"not installed: {', '.join(missing)}. Install the demo's parts: {INSTALL}")


def envoy_command() -> str:
    """The path of the `envoy` command: that of this Python environment, else the first on PATH."""
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.is_file() else shutil.which("envoy")
    if found is None:
        raise CannotRunError(f"Envoy is not installed. Install the demo's parts: {INSTALL}")
    return found


def shipped_envoy_yaml() -> str:
    """The text of deploy/envoy.yaml, from the installed package or from the checkout."""
    for path in (_SHIPPED_IN_WHEEL, _SHIPPED_IN_CHECKOUT):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CannotRunError(f"deploy/envoy.yaml is not where it was expected: {_SHIPPED_IN_WHEEL}")


def free_port(preferred: int = 0) -> int:
    """A loopback port that nobody listens on: the preferred one where it is free, else one that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As Envoy binds: a port whose last connections still linger counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CannotRunError("the system has no free port")


def port_owner(port: int) -> str:
    """Who listens on this TCP port, as `name (process N)`; empty where Linux does not tell us."""
    inodes = {
        fields[9]
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.is_file()
        for fields in map(str.split, table.read_text(encoding="ascii").splitlines()[1:])
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if wanted else ():
        try:
            if str(descriptor.readlink()) in wanted:
                process = descriptor.parents[1]
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
        except OSError:
            continue  # it ended meanwhile, or it is another user's
    return ""
