"""Make one GET request over HTTP/1.1 to an untrusted endpoint (RFC 9110, RFC 9112). The parser is h11.

One deadline covers everything, and every size has a limit. Redirects are not followed, because only the configuration
selects the source of keys. A proxy opens a tunnel and sees only TLS.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest

import h11

from authz.core.egress_proxy import EgressProxy
from authz.core.url import Url, fixed_addresses
from authz.sources.content_coding import BodyDecoder
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.proxy_tunnel import cannot_reach, open_tunnel, start_tls
from authz.sources.response_facts import Observe, facts_of, ignore

MAX_HEAD_BYTES = 32 * 1024
"""Everything except the body: status line, header fields, interim responses, chunk framing. Real responses have 1 to
4 kB. It also bounds the parse time on the loop: each chunk takes time, and a body in chunks of one byte is mostly
framing."""

MAX_ADDRESSES = 4
"""The most addresses of a host to try. They share the deadline."""

_READ_BYTES = 16 * 1024
_GOOD = frozenset({200, 203})
"""203 is a 200 that a content delivery network changed (RFC 9110 section 15.3.4). It has the host's certificate, and
could send 200 as well."""
_REDIRECTS = frozenset({300, 301, 302, 303, 305, 306, 307, 308})

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host, given with its port. Raises OSError, UnicodeError or FetchFailed."""


async def get(  # noqa: PLR0913 - the settings of one fetch, all by name
    url: Url,
    *,
    context: ssl.SSLContext,
    resolve: Resolve,
    proxy: EgressProxy | None = None,
    bearer: str = "",
    deadline_seconds: float,
    max_bytes: int,
    observe: Observe = ignore,
) -> bytes:
    """Return the body of a 200 response. Raises FetchFailed for everything else, at the deadline at the latest.

    `bearer` must be a b64token (RFC 6750 section 2.1). `context` is not used for an http URL. Through a proxy, only
    https URLs are fetched, and the proxy looks the host up.
    """

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        def note(response: h11.Response) -> None:
            observe(url, facts_of(response.headers, writer.get_extra_info("ssl_object")))

        return await _exchange(reader, writer, _request(url, bearer), max_bytes, note)

    try:
        async with asyncio.timeout(deadline_seconds):
            reader, writer = await _open(url, context, resolve, proxy, deadline_seconds)
            with _aborted_at_end(writer):
                if proxy is None:
                    return await exchange(reader, writer)
                await open_tunnel(reader, writer, url, proxy)
                reader_inside, writer_inside = await start_tls(writer, context, url.host)
                with _aborted_at_end(writer_inside):
                    return await exchange(reader_inside, writer_inside)
    except TimeoutError as error:
        raise FetchFailed(FetchResult.TIMEOUT, f"no complete response within {deadline_seconds:g} s") from error
    except ssl.SSLError as error:
        raise FetchFailed(FetchResult.TLS_FAILED, _tls_detail(error)) from error
    except OSError as error:
        raise FetchFailed(FetchResult.CONNECT_FAILED, error.strerror or type(error).__name__) from error
    except h11.RemoteProtocolError as error:  # its text can quote the response
        raise FetchFailed(FetchResult.MALFORMED, "not a complete HTTP/1.1 response") from error


@contextmanager
def _aborted_at_end(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()  # close() would wait for the peer's TLS shutdown


async def _open(
    url: Url, context: ssl.SSLContext, resolve: Resolve, proxy: EgressProxy | None, seconds: float
) -> Streams:
    """Connect to the URL's host, with TLS for https, or in plain text to the proxy."""
    if proxy is None:
        tls = (context, url.host) if url.scheme == "https" else None
        return await _connect(await _addresses(url.host, url.port, resolve), url.port, tls, seconds)
    if url.scheme != "https":
        raise FetchFailed(FetchResult.URL_REFUSED, "http is never sent to a proxy, which could change it")
    try:
        return await _connect(await _addresses(proxy.host, proxy.port, resolve), proxy.port, None, seconds)
    except FetchFailed as failure:
        raise cannot_reach(proxy, failure.detail) from failure
    except TimeoutError:
        raise
    except OSError as error:
        raise cannot_reach(proxy, os.strerror(error.errno) if error.errno else type(error).__name__) from error


async def _addresses(host: str, port: int, resolve: Resolve) -> Sequence[str]:
    if fixed := fixed_addresses(host):
        return fixed
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(FetchResult.DNS_FAILED, f"{host} cannot be looked up") from error
    if not addresses:
        raise FetchFailed(FetchResult.DNS_FAILED, f"{host} has no address")
    return _both_families(addresses)[:MAX_ADDRESSES]


def _both_families(addresses: Sequence[str]) -> list[str]:
    """IPv6 and IPv4 in turns, beginning with the first address (RFC 8305 section 4): either can have no route."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    other = [address for address in addresses if address not in first]
    pairs = zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


async def _connect(
    addresses: Sequence[str], port: int, tls: tuple[ssl.SSLContext, str] | None, seconds: float
) -> Streams:
    """Try the addresses in order, each with a share of the time, so that a dead IPv6 route does not hide IPv4."""
    context, host = tls or (None, None)
    for position, address in enumerate(addresses):
        is_last = position == len(addresses) - 1
        try:
            async with asyncio.timeout(None if is_last else seconds / len(addresses)):
                return await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
        except ssl.SSLError:
            raise  # a server answered with an invalid certificate or protocol
        except OSError:  # TimeoutError is one
            if is_last:
                raise
    raise AssertionError("addresses is never empty")  # pragma: no cover


def _tls_detail(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    return str(error.reason or "handshake failed").replace("_", " ").lower()


def _request(url: Url, bearer: str) -> h11.Request:
    headers = [
        ("host", url.authority),
        ("accept", "application/json, application/jwk-set+json"),
        ("accept-encoding", "identity"),
        ("user-agent", "envoy-jwt-authz"),
        ("connection", "close"),
    ]
    if bearer:
        headers.append(("authorization", f"Bearer {bearer}"))
    return h11.Request(method="GET", target=url.target, headers=headers)


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: h11.Request,
    max_bytes: int,
    note: Callable[[h11.Response], None],
) -> bytes:
    # h11 has a limit as well. It is set above MAX_HEAD_BYTES, so that the check below always applies first.
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES + _READ_BYTES)
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    received, encoded, body = 0, 0, bytearray()
    decoder = BodyDecoder()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            framing = received - encoded
            _require(
                framing <= MAX_HEAD_BYTES, FetchResult.TOO_LARGE, f"more than {MAX_HEAD_BYTES} bytes around the body"
            )
            data = await reader.read(_READ_BYTES)
            received += len(data)
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            note(event)
            _require_good(event, max_bytes)
            decoder = BodyDecoder(_content_coding(event))
        elif isinstance(event, h11.Data):
            encoded += len(event.data)
            body += decoder.decode(event.data, max_bytes + 1 - len(body))
            _require(max(encoded, len(body)) <= max_bytes, FetchResult.TOO_LARGE, f"more than {max_bytes} bytes")
        elif isinstance(event, h11.EndOfMessage):
            decoder.finish()
            return bytes(body)
        else:  # 1xx is skipped; the framing limit bounds how many
            is_interim = isinstance(event, h11.InformationalResponse)
            _require(is_interim, FetchResult.MALFORMED, "the connection was closed before the response")


def _content_coding(response: h11.Response) -> str:
    values = [value.decode("latin-1") for name, value in response.headers if name == b"content-encoding"]
    return ", ".join(values)


def _require_good(response: h11.Response, max_bytes: int) -> None:
    status = response.status_code
    if status in _REDIRECTS:
        raise FetchFailed(FetchResult.REDIRECT, f"status {status}: redirects are not followed", status=status)
    if status not in _GOOD:
        raise FetchFailed(FetchResult.HTTP_STATUS, f"status {status} instead of 200", status=status)
    for name, value in response.headers:
        if name == b"content-length":  # h11 has checked that it is one number, of at most 20 digits
            _require(int(value) <= max_bytes, FetchResult.TOO_LARGE, f"more than {max_bytes} bytes")


def _require(condition: bool, result: FetchResult, detail: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise FetchFailed(result, detail)
