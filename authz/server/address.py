"""Check that a listen address is valid and free, or name the process that uses it.

A Unix socket path needs this check: gRPC silently replaces a live socket, and its first owner would unlink the new one
when it stops.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from authz.core.socket_path import MAX_SOCKET_PATH_BYTES, is_too_long
from authz.server.engine import CannotListen

SOCKET_UMASK = 0o117
"""Socket mode 0660: Envoy runs under another uid and opens the socket through a common group."""

_CONNECT_SECONDS = 1.0
_TCP = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[0-9.]+|localhost):(?P<port>[0-9]{1,5})")


def parse_tcp(address: str) -> tuple[str, int] | None:
    """Return host and port of `127.0.0.1:9191` or `[::1]:9191`. None for anything else."""
    match = _TCP.fullmatch(address)
    if match is None or int(match["port"]) > 65_535:  # noqa: PLR2004 - 16 bits
        return None
    return match["host"].strip("[]"), int(match["port"])


def require_tcp(address: str) -> tuple[str, int]:
    """Return host and port. Raises CannotListen for anything else."""
    tcp = parse_tcp(address)
    if tcp is None:
        raise CannotListen(f"{address!r} is not an address. Write unix:/run/authz/authz.sock or 127.0.0.1:9191")
    return tcp


def socket_path(address: str) -> Path | None:
    """Return the path of a Unix socket, `unix:/path`. None for anything else."""
    return Path(address.removeprefix("unix:")) if address.startswith("unix:") else None


def is_address(address: str) -> bool:
    """Whether it is `unix:/path` or an IP address and port."""
    return address.startswith("unix:/") or parse_tcp(address) is not None


def is_remote(address: str) -> bool:
    """Whether other machines can connect to it: a TCP address that is not loopback."""
    tcp = parse_tcp(address)
    return tcp is not None and tcp[0] != "localhost" and not _is_loopback(tcp[0])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # not an address: binding to it fails
        return False


def require_free(address: str, *, remove_stale: bool = True) -> None:
    """Check that the address is free. Remove a stale socket file, unless told otherwise.

    Raises CannotListen with the process that listens, or with the problem.
    """
    path = socket_path(address)
    if path is not None:
        _require_free_path(path, remove_stale=remove_stale)
    else:
        _require_free_port(*require_tcp(address))


@contextlib.contextmanager
def socket_mode() -> Iterator[None]:
    """Restrict new sockets to owner and group while the context is active."""
    before = os.umask(SOCKET_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def require_directory(path: Path) -> None:
    """Check that a socket can be created at the path. Raises CannotListen."""
    if is_too_long(os.fsencode(path)):
        raise CannotListen(f"the socket path is longer than {MAX_SOCKET_PATH_BYTES} bytes: {path}")
    if not path.parent.is_dir():
        raise CannotListen(f"the directory of the socket does not exist: {path.parent}. Create or mount it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotListen(f"uid {os.getuid()} cannot write to the directory of the socket: {path.parent}")


def _require_free_path(path: Path, *, remove_stale: bool) -> None:
    require_directory(path)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path} exists and is not a socket. Move it away")
    owner = _owner_of_socket(path)
    if owner is not None:
        raise CannotListen(f"{owner} listens on {path}. Stop it, or choose another path")
    if remove_stale:
        path.unlink(missing_ok=True)


def _owner_of_socket(path: Path) -> str | None:
    """Return the process that listens on a Unix socket, None if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError as error:
            return f"a process that does not answer ({error.strerror or 'timed out'})"
        pid, _uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return describe_process(pid)


def _require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                owner = _owner_of_port(port) or "another process"
                raise CannotListen(f"{owner} listens on {host}:{port}. Stop it, or choose another port") from error
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _owner_of_port(port: int) -> str | None:
    """Return the process that listens on a TCP port, None if /proc hides it from this user."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: LISTEN
                    inodes.add(f"socket:[{fields[9]}]")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                return describe_process(int(link.parts[2]))
    return None


def describe_process(pid: int) -> str:
    """Return the pid and name of a process for a message."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        name = "unknown"
    return f"process {pid} ({name})"
