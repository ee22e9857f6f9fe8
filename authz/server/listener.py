"""The listening socket of an address: a Unix socket or a TCP port, bound once, or inherited from the supervisor."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from authz.server.address import require_tcp, socket_path
from authz.server.engine import CannotListen

BACKLOG = 1024
"""The kernel's queue of connections before accept()."""


class ListeningSocket:
    """A bound, non-blocking socket."""

    def __init__(self, address: str, inherited: int = -1) -> None:
        """Bind, or use the file descriptor of a socket that another process has bound. Raises CannotListen."""
        self._path = socket_path(address)
        self.inode = 0
        """Of the socket file that this process has bound, else 0. It cannot be reused while the socket is open."""
        if inherited >= 0:
            self.socket = socket.socket(fileno=inherited)
            return
        tcp = require_tcp(address) if self._path is None else None
        family = socket.AF_UNIX if tcp is None else socket.AF_INET6 if ":" in tcp[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._bind(tcp)
        except OSError as error:
            self.socket.close()
            raise CannotListen(f"cannot listen on {address}: {error.strerror}") from error

    def _bind(self, tcp: Any) -> None:
        if self._path is not None:
            self.socket.bind(os.fspath(self._path))
            self.inode = self._path.stat().st_ino
        else:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(tcp)
        self.socket.listen(BACKLOG)
        self.socket.setblocking(False)  # noqa: FBT003 - positional only

    @property
    def port(self) -> int:
        """The TCP port; 0 for a Unix socket."""
        return 0 if self._path is not None else int(self.socket.getsockname()[1])

    def accept(self) -> socket.socket | None:
        """Return the next connection, None if there is none. Raises OSError if no file descriptor is free."""
        try:
            accepted, _peer = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        accepted.setblocking(False)  # noqa: FBT003 - positional only
        if self._path is None:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return accepted

    def close(self) -> None:
        """Close the socket and remove its file, unless another process has replaced the file."""
        self.socket.close()
        if self._path is not None and self.is_in_place():
            with contextlib.suppress(OSError):
                self._path.unlink()

    def is_in_place(self) -> bool:
        """Whether the socket file is still the one that this process has bound."""
        return self._path is None or socket_inode(self._path) == self.inode


def socket_inode(path: Path) -> int:
    """Return the inode of a socket file, 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0
