"""The TLS settings of fetches: the system's certificate authorities or the configured file, and TLS 1.2 or later."""

from __future__ import annotations

import ssl
from functools import cache

from authz.sources.fetch_result import FetchFailed, FetchResult


def context(ca_file: str) -> ssl.SSLContext:
    """Return a client context that checks certificate and host name. Blocks, because it reads files.

    Raises FetchFailed(FILE_UNREADABLE) if `ca_file` is set and contains no certificates. The file is read every time,
    so that a renewed file takes effect at once.
    """
    if not ca_file:
        return _system_context()
    made = _strict_context()
    try:
        made.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise FetchFailed(
            FetchResult.FILE_UNREADABLE, f"ca_file {ca_file!r:.200}: it contains no PEM certificate"
        ) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a valid path"
        raise FetchFailed(FetchResult.FILE_UNREADABLE, f"ca_file {ca_file!r:.200}: {why}") from error
    return made


@cache
def _system_context() -> ssl.SSLContext:
    """Shared by the process: reading about 140 certificates takes 25 ms of CPU, and they change only with the image."""
    made = _strict_context()
    made.load_default_certs()
    return made


def _strict_context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made
