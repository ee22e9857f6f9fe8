"""A tunnel to an endpoint through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6).

The proxy carries bytes and is not trusted: TLS runs inside of the tunnel and is verified against the endpoint's name.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from http import HTTPStatus

import h11

from authz.core.egress_proxy import EgressProxy
from authz.core.url import Url
from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_HEAD_BYTES = 16 * 1024
"""The largest response of a proxy. Real ones are under 1 kB; a page of HTML behind it is never read."""

_READ_BYTES = 4096
_GOOD = range(200, 300)


async def open_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: Url, proxy: EgressProxy) -> None:
    """Ask the proxy for a tunnel to the URL's host. Raises FetchFailed(PROXY_FAILED) if it opens none.

    The caller sets the deadline, and starts TLS afterwards.
    """
    try:
        await _connect(reader, writer, _request(url, proxy))
    except h11.RemoteProtocolError as error:  # its text can quote the response
        raise _failed(proxy, "its response is not HTTP/1.1") from error
    except (OSError, EOFError) as error:
        raise _failed(proxy, "it closed the connection") from error
    except FetchFailed as failure:
        raise _failed(proxy, failure.detail) from failure


async def start_tls(
    writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Start TLS in an open tunnel, and return the streams of the decrypted bytes. Raises OSError.

    The caller keeps the plain writer, which closes the connection when it is collected, and aborts it at the end.
    Not StreamWriter.start_tls, which keeps the reader: plain text that the proxy sent before the handshake would be
    left in its buffer, and would be read as the endpoint's response.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = await loop.start_tls(writer.transport, protocol, context, server_hostname=host)
    if transport is None:  # typeshed allows it; the loops of CPython always return one
        raise ConnectionError("the connection was closed")
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def cannot_reach(proxy: EgressProxy, why: str) -> FetchFailed:
    """The failure for a proxy that accepts no connection."""
    return _failed(proxy, f"it cannot be reached: {why}")


def _failed(proxy: EgressProxy, why: str) -> FetchFailed:
    # Without a status: a 403 of the proxy must not count as the endpoint's word about a token.
    return FetchFailed(FetchResult.PROXY_FAILED, f"the proxy {proxy.authority}: {why}")


def _request(url: Url, proxy: EgressProxy) -> h11.Request:
    headers = [("host", url.connect_target), ("user-agent", "envoy-jwt-authz")]
    if proxy.user:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        headers.append(("proxy-authorization", f"Basic {credentials}"))
    return h11.Request(method="CONNECT", target=url.connect_target, headers=headers)


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request) -> None:
    # h11's own limit is above ours, so that it is never reached.
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES + _READ_BYTES)
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    received = 0
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            _require_open(event, connection)
            return
        if event is h11.NEED_DATA:
            if received > MAX_HEAD_BYTES:
                raise _closed(f"its response is larger than {MAX_HEAD_BYTES} bytes")
            data = await reader.read(_READ_BYTES)
            if not data:
                raise EOFError
            received += len(data)
            connection.receive_data(data)
        # What is left is 1xx, which is skipped. The limit bounds how many.


def _require_open(response: h11.Response, connection: h11.Connection) -> None:
    status = response.status_code
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        fix = "write HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT and `proxy: environment`"
        raise _closed(f"status 407, it wants other credentials than it got: {fix}")
    if status not in _GOOD:
        raise _closed(f"status {status} for CONNECT: does it allow this host and port?")
    if connection.trailing_data[0]:
        # A TLS server waits for the client to speak, so what comes now is the proxy's: a sign-in page, say.
        raise _closed("it sent a page instead of a tunnel")


def _closed(why: str) -> FetchFailed:
    return FetchFailed(FetchResult.PROXY_FAILED, why)
