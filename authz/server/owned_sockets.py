"""The listening sockets of `authz serve`. The supervisor owns them and its workers inherit them.

If a worker dies, the socket stays open: the kernel queues new connections, and the next worker accepts them. Two
workers can accept from one socket, so a successor starts while its predecessor drains. grpcio cannot inherit a socket,
so with `--engine grpc` each worker binds its own.
"""

from __future__ import annotations

from authz.server.address import require_free, socket_mode, socket_path
from authz.server.listener import ListeningSocket
from authz.server.socket_lock import SocketLock


class OwnedSockets:
    """The locks and sockets of all addresses."""

    def __init__(self, addresses: tuple[str, ...], engine: str) -> None:
        self._addresses = addresses
        self.are_inherited = engine == "h2"
        """Whether workers use these sockets. Otherwise each binds its own."""
        self._locks: list[SocketLock] = []
        self._sockets: dict[int, ListeningSocket] = {}

    def lock(self) -> None:
        """Lock the path of every Unix socket for the life of this process. Raises CannotListen."""
        for address in self._addresses:
            path = socket_path(address)
            if path is not None:
                self._locks.append(SocketLock(path))

    def socket(self, slot: int) -> ListeningSocket | None:
        """Return the socket for a worker to inherit, None if it binds its own. Raises CannotListen.

        If the socket file was removed or replaced, bind again.
        """
        if not self.are_inherited:
            return None
        owned = self._sockets.get(slot)
        if owned is not None and owned.is_in_place():
            return owned
        if owned is not None:
            owned.close()
        require_free(self._addresses[slot])
        with socket_mode():
            self._sockets[slot] = ListeningSocket(self._addresses[slot])
        return self._sockets[slot]

    def stop_listening(self) -> None:
        """Leave the sockets to the workers: when the last worker closes its copy, connections are refused."""
        for owned in self._sockets.values():
            owned.socket.close()

    def release(self) -> None:
        """Remove the socket files and unlock the paths."""
        for owned in self._sockets.values():
            owned.close()
        self._sockets.clear()
        for lock in self._locks:
            lock.release()
        self._locks.clear()
