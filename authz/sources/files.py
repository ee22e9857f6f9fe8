"""Read small files completely, with a size limit and without waiting for a writer."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8

from authz.core.bearer import is_b64token
from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_BEARER_BYTES = 16 * 1024
"""A service account token has 1 to 2 kB. Servers refuse header fields much longer than this."""


def read(path: str, field: str, max_bytes: int) -> bytes:
    """Return the content of a regular file, without the byte order mark of some editors.

    `field` is its configuration field, for messages. Blocks.
    Raises FetchFailed(FILE_UNREADABLE | TOO_LARGE).
    """
    shown = f"{field} {path!r:.200}"
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FetchFailed(FetchResult.FILE_UNREADABLE, f"{shown}: not a regular file")
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a valid path"
        raise FetchFailed(FetchResult.FILE_UNREADABLE, f"{shown}: {why}") from error
    if len(content) > max_bytes:
        raise FetchFailed(FetchResult.TOO_LARGE, f"{shown}: more than {max_bytes} bytes")
    return content.removeprefix(BOM_UTF8)


def read_bearer(path: str) -> str:
    """Return the bearer token in a file (RFC 6750 section 2.1), empty if no file is configured.

    Blocks. Raises FetchFailed(FILE_UNREADABLE | TOO_LARGE). The message never contains the content.
    """
    if not path:
        return ""
    text = read(path, "bearer_token_file", MAX_BEARER_BYTES).decode("latin-1").strip()
    if not is_b64token(text):
        raise FetchFailed(
            FetchResult.FILE_UNREADABLE,
            f"bearer_token_file {path!r:.200}: it does not contain exactly one bearer token",
        )
    return text


def signature(path: str) -> object:
    """Return a value that changes if the file is written or replaced, also by symlink. None if missing. Blocks."""
    try:
        status = os.stat(path)  # noqa: PTH116 - plain os.stat is clear
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
