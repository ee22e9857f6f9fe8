"""Ask the admin port of a running sidecar, for the commands that show its state."""

from __future__ import annotations

import http.client

from authz.core import strict_json

DEFAULT_ADMIN = "127.0.0.1:9464"
"""The admin address of `authz serve` without an option."""


def get(host: str, port: int, path: str, *, timeout: float, max_bytes: int) -> object:
    """Return a page as JSON. Raises OSError, HTTPException and ValueError. `timeout` is in seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        page: object = strict_json.loads(connection.getresponse().read(max_bytes), max_bytes)
        return page
    finally:
        connection.close()
