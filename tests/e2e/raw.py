"""Requests byte by byte, for what no HTTP client would send."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RawAnswer:
    status: int
    head: str
    body: bytes

    @property
    def reason(self) -> str:
        return str(self._json().get("reason", ""))

    @property
    def path(self) -> str:
        """The path that the service behind Envoy saw; empty if the request did not get there."""
        return str(self._json().get("path", ""))

    def _json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body.startswith(b"{") else {}


def send(home: str, target: str, *headers: bytes, method: str = "GET") -> RawAnswer:
    """Send a request whose target and header lines go out exactly as given."""
    place = urlsplit(home)
    lines = [f"{method} {target} HTTP/1.1".encode(), f"host: {place.netloc}".encode(), b"connection: close", *headers]
    with socket.create_connection((place.hostname, place.port), timeout=5) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        return RawAnswer(response.status, str(response.headers), response.read())
