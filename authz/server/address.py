"""Where a worker listens: is it an address we may take, is it free, and if not, who has it.

gRPC would take over a live socket path without a word, and its first owner would unlink it when it stops; so a path
is looked at before it is used.
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
from pathlib import Path

from authz.server.engine import CannotListen

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` holds 108 bytes, the last of them NUL."""

SOCKET_UMASK = 0o117
"""Socket mode 0660: Envoy runs under another uid and opens it through the common group."""

_CONNECT_SECONDS = 1.0
_TCP = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[0-9.]+|localhost):(?P<port>[0-9]{1,5})")


def parse_tcp(address: str) -> tuple[str, int] | None:
    """Host and port of `127.0.0.1:9191` or `[::1]:9191`; None for anything else."""
    match = _TCP.fullmatch(address)
    if match is None or int(match["port"]) > 65_535:  # noqa: PLR2004 - 16 bits
        return None
    return match["host"].strip("[]"), int(match["port"])


def is_address(address: str) -> bool:
    """Whether it is `unix:/path` or an IP address and port."""
    return address.startswith("unix:/") or parse_tcp(address) is not None


def require_free(address: str) -> None:
    """Make sure that the address can be taken; a socket file that nobody serves is removed.

    Raises CannotListen with who has it, or what is wrong with it.
    """
    if address.startswith("unix:"):
        _require_free_path(Path(address.removeprefix("unix:")))
        return
    tcp = parse_tcp(address)
    if tcp is None:
        raise CannotListen(f"{address!r} is not an address: write unix:/run/authz/authz.sock or 127.0.0.1:9191")
    _require_free_port(*tcp)


@contextlib.contextmanager
def socket_mode() -> Iterator[None]:
    """While inside, new sockets are for owner and group only."""
    before = os.umask(SOCKET_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def _require_free_path(path: Path) -> None:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise CannotListen(f"the socket path is longer than {MAX_SOCKET_PATH_BYTES} bytes: {path}")
    if not path.parent.is_dir():
        raise CannotListen(f"the folder of the socket does not exist: {path.parent}. Create it or mount it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotListen(f"the folder of the socket cannot be written by uid {os.getuid()}: {path.parent}")
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path} is there and is not a socket. Move it away")
    owner = _owner_of_socket(path)
    if owner is not None:
        raise CannotListen(f"{path} is served by {owner}. Stop it, or choose another path")
    path.unlink(missing_ok=True)


def _owner_of_socket(path: Path) -> str | None:
    """Who serves a Unix socket, None where nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError as error:
            return f"a process that does not answer ({error.strerror or 'timed out'})"
        pid, _uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return _process(pid)


def _require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                owner = _owner_of_port(port) or "another process"
                raise CannotListen(f"{host}:{port} is taken by {owner}. Stop it, or choose another port") from error
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _owner_of_port(port: int) -> str | None:
    """The process that listens on a TCP port, as far as /proc shows it to this user."""
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
                return _process(int(link.parts[2]))
    return None


def _process(pid: int) -> str:
    """A process as an operator recognises it."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        name = "unknown"
    return f"process {pid} ({name})"
