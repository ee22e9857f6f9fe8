"""Find the `envoy` command and free loopback ports on this machine."""

from __future__ import annotations

import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

INSTALL = "the extra `demo` of envoy-jwt-authz (in a clone: pip install '.[demo]')"
"""The command that installs the programs. It names no package index: the operator configures that."""
LOOPBACK = "127.0.0.1"


class CannotRunError(Exception):
    """A required program cannot be run. The message contains the cause and the fix."""


def envoy_command() -> str:
    """The path of the `envoy` command: that of this Python environment, else the first on PATH."""
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.is_file() else shutil.which("envoy")
    if found is None:
        raise CannotRunError(f"Envoy is not installed. Install {INSTALL}")
    return found


def free_port(preferred: int = 0) -> int:
    """A free loopback port: the preferred port if it is free, else one chosen by the system."""
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


def free_ports(count: int) -> tuple[int, ...]:
    """Return distinct free loopback ports. All sockets stay open until the last port is found."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind((LOOPBACK, 0))
        return tuple(each.getsockname()[1] for each in held)


def port_owner(port: int) -> str:
    """The process listening on this TCP port, as `name (process N)`. Empty if Linux does not show it."""
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
