"""The admin HTTP server: `/metrics`, `/livez`, `/readyz`, `/keys`. For probes and Prometheus, not for clients.

It serves one request per connection, with h11 instead of a web framework. Time and size limits cover the whole request,
so that a slow or large request affects only its connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import h11

from authz.server.admin_host import is_allowed

MAX_CONNECTIONS = 64
MAX_PER_ADDRESS = 16
"""The most connections, in total and from one address. One more drops the oldest, those without a complete request
first: a peer that sends half a request and waits cannot keep probes out."""

REQUEST_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024

_WRONG_HOST = "Host is not an IP address, localhost or a name from --admin-host"

Page = tuple[int, str, bytes]
"""HTTP status, content type, body."""


@dataclass(slots=True, eq=False)
class _Peer:
    """One open connection."""

    address: str
    writer: asyncio.StreamWriter
    has_asked: bool = False
    """Whether its request is complete."""


class Admin:
    """Serves pages by path. Each page is a function without arguments."""

    def __init__(self, pages: Mapping[str, Callable[[], Page]], hosts: Collection[str] = ()) -> None:
        """`hosts` are the names that requests may have in `Host`, besides IP addresses and localhost."""
        self._pages = pages
        self._hosts = frozenset(hosts)
        self._open: list[_Peer] = []  # the oldest first
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
        peer = _Peer(str((writer.get_extra_info("peername") or ("",))[0]), writer)
        self._make_room(peer.address)
        self._open.append(peer)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._answer(reader, peer)
        except (TimeoutError, OSError, h11.ProtocolError):
            writer.transport.abort()  # too slow, closed, or not HTTP
        finally:
            if peer in self._open:
                self._open.remove(peer)
            writer.close()

    def _make_room(self, address: str) -> None:
        """Drop connections until one more from this address is within both bounds."""
        neighbours = [peer for peer in self._open if peer.address == address]
        for peers, most in ((neighbours, MAX_PER_ADDRESS), (self._open, MAX_CONNECTIONS)):
            while len(peers) >= most:
                victim = next((peer for peer in peers if not peer.has_asked), peers[0])
                peers.remove(victim)
                if victim in self._open:
                    self._open.remove(victim)
                victim.writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, peer: _Peer) -> None:
        writer = peer.writer
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST_BYTES)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(MAX_REQUEST_BYTES))
        if not isinstance(event, h11.Request):
            return
        peer.has_asked = True
        status, content_type, body = self._page(event)
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

    def _page(self, request: h11.Request) -> Page:
        if not is_allowed(dict(request.headers).get(b"host", b""), self._hosts):
            return json_page(HTTPStatus.MISDIRECTED_REQUEST, {"problem": _WRONG_HOST})
        page = self._pages.get(request.target.partition(b"?")[0].decode("ascii", "replace"))
        if page is None:
            return json_page(404, {"pages": sorted(self._pages)})
        if request.method not in {b"GET", b"HEAD"}:
            return json_page(405, {"methods": ["GET", "HEAD"]})
        return page()


def json_page(status: int, value: object) -> Page:
    """Return a JSON page."""
    return status, "application/json", json.dumps(value, indent=2).encode() + b"\n"
