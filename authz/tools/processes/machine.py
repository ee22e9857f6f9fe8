"""Find the `envoy` command and free loopback ports on this machine."""

from __future__ import annotations

import shutil
import socket
import sys
from itertools import count as count_from
from pathlib import Path
from random import SystemRandom

INSTALL = "the extra `demo` of envoy-jwt-authz (in a clone: pip install '.[demo]')"
"""The command that installs the programs. It names no package index: the operator configures that."""
LOOPBACK = "127.0.0.1"
_FIRST_PORT = 20_000
_LEAST_PORTS = 1000
_NEXT_PORT = count_from(SystemRandom().randrange(1_000_000))
_EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


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
    """A free loopback port: the preferred port if it is free, else a port that no outgoing connection takes."""
    if preferred and _is_free(preferred):
        return preferred
    return free_ports(1)[0]


def free_ports(count: int) -> tuple[int, ...]:
    """Return distinct free loopback ports below the ephemeral ports.

    A program binds its port only later. Until then the system could give an ephemeral port to any outgoing connection,
    and another call could return the same port. So this process goes through the ports one after the other.
    """
    begin, end = _FIRST_PORT, _ephemeral_ports_begin()
    found: list[int] = []
    for _ in range(begin, end):
        port = begin + next(_NEXT_PORT) % (end - begin)
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise CannotRunError(f"the system has no {count} free ports from {begin} to {end - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Envoy binds: a port whose last connections still linger counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _ephemeral_ports_begin() -> int:
    """The first port that the system gives to outgoing connections: Linux says it, elsewhere it is 49152 (RFC 6335)."""
    try:
        return max(int(_EPHEMERAL_PORTS.read_text(encoding="ascii").split()[0]), _FIRST_PORT + _LEAST_PORTS)
    except (OSError, ValueError, IndexError):
        return 49_152


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
