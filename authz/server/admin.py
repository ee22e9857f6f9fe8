"""The admin HTTP server: `/metrics`, `/livez`, `/readyz`, `/keys`. For probes and Prometheus, not for clients.

It serves one request per connection, with h11 instead of a web framework. Time and size limits cover the whole request,
so that a slow or large request affects only its connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

import h11

MAX_CONNECTIONS = 64
REQUEST_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024

Page = tuple[int, str, bytes]
"""HTTP status, content type, body."""


class Admin:
    """Serves pages by path. Each page is a function without arguments."""

    def __init__(self, pages: Mapping[str, Callable[[], Page]]) -> None:
        self._pages = pages
        self._open = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen. Return the port, which is useful if `port` is 0. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_REQUEST_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError, h11.ProtocolError):
            writer.transport.abort()  # too slow, closed, or not HTTP
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST_BYTES)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(MAX_REQUEST_BYTES))
        if not isinstance(event, h11.Request):
            return
        status, content_type, body = self._page(event.method, event.target)
        headers = [
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        answer = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)
        writer.write(connection.send(answer) or b"")
        if event.method != b"HEAD":
            writer.write(body)
        writer.close()
        await writer.wait_closed()  # waits until all is sent, within REQUEST_SECONDS

    def _page(self, method: bytes, target: bytes) -> Page:
        page = self._pages.get(target.partition(b"?")[0].decode("ascii", "replace"))
        if page is None:
            return json_page(404, {"pages": sorted(self._pages)})
        if method not in {b"GET", b"HEAD"}:
            return json_page(405, {"methods": ["GET", "HEAD"]})
        return page()


def json_page(status: int, value: object) -> Page:
    """Return a JSON page."""
    return status, "application/json", json.dumps(value, indent=2).encode() + b"\n"
