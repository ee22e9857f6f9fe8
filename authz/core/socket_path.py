"""The length limit of a Unix socket path, for the file reader, the server and the demo."""

from __future__ import annotations

MAX_SOCKET_PATH_BYTES = 107
"""`sun_path` has 108 bytes, and the last is NUL (unix(7))."""


def is_too_long(path: bytes) -> bool:
    """Whether the kernel refuses to bind this path."""
    return len(path) > MAX_SOCKET_PATH_BYTES
