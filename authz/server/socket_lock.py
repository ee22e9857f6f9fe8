"""A lock file beside a Unix socket, held for the life of `authz serve`.

Looking at a socket path and then binding to it is a race: of four processes that start at once, each can find the path
free and remove the socket of another. Only the owner of the lock looks at the path.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from authz.server.address import describe_process, require_directory
from authz.server.engine import CannotListen


class SocketLock:
    """The lock of one socket path. The kernel releases it when the process ends, however it ends.

    The file stays. If it were removed, a third process could lock a new file while the second waits for the old one.
    """

    def __init__(self, socket_path: Path) -> None:
        """Take the lock. Raises CannotListen with the process that holds it."""
        require_directory(socket_path)
        path = Path(f"{socket_path}.lock")
        try:
            # O_NOFOLLOW: a symlink in a shared directory must not make us write to another file.
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            fix = "Remove it, and start authz as the user who owns the directory"
            raise CannotListen(f"cannot open the lock file {path}: {error.strerror}. {fix}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _owner(self._fd)
            os.close(self._fd)
            raise CannotListen(f"{owner} serves {socket_path}. Stop it, or choose another path") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let another process have the path."""
        os.close(self._fd)


def _owner(fd: int) -> str:
    """The process that wrote its id into the lock file."""
    text = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
    return describe_process(int(text)) if text.isdecimal() else "another process"
