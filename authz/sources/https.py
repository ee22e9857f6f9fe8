"""Make one GET request over HTTP/1.1 to an untrusted endpoint (RFC 9110, RFC 9112). The parser is h11.

One deadline covers everything, and every size has a limit. Redirects, encodings and proxies are not supported, because
only the configuration selects the source of keys.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence

import h11

from authz.core.url import Url
from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_HEAD_BYTES = 32 * 1024
"""Everything except the body: status line, header fields, interim responses, chunk framing. Real responses have 1 to
4 kB. It also bounds the parse time on the loop: each chunk takes time, and a body in chunks of one byte is mostly
framing."""

MAX_ADDRESSES = 4
"""The most addresses of a host to try. They share the deadline."""

_READ_BYTES = 16 * 1024
_OK = 200
_REDIRECTS = frozenset({300, 301, 302, 303, 305, 306, 307, 308})

Resolve = Callable[[Url], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a URL's host. Raises OSError, UnicodeError or FetchFailed."""


async def get(
    url: Url,
    *,
    context: ssl.SSLContext,
    resolve: Resolve,
    bearer: str = "",
    deadline_seconds: float,
    max_bytes: int,
) -> bytes:
    """Return the body of a 200 response. Raises FetchFailed for everything else, at the deadline at the latest.

    `bearer` must be a b64token (RFC 6750 section 2.1). `context` is not used for an http URL.
    """
    try:
        async with asyncio.timeout(deadline_seconds):
            reader, writer = await _connect(url, context, await _addresses(url, resolve), deadline_seconds)
            try:
                return await _exchange(reader, writer, _request(url, bearer), max_bytes)
            finally:
                writer.transport.abort()  # close() would wait for the peer's TLS shutdown
    except TimeoutError as error:
        raise FetchFailed(FetchResult.TIMEOUT, f"no complete response within {deadline_seconds:g} s") from error
    except ssl.SSLError as error:
        raise FetchFailed(FetchResult.TLS_FAILED, _tls_detail(error)) from error
    except OSError as error:
        raise FetchFailed(FetchResult.CONNECT_FAILED, error.strerror or type(error).__name__) from error
    except h11.RemoteProtocolError as error:  # its text can quote the response
        raise FetchFailed(FetchResult.MALFORMED, "not a complete HTTP/1.1 response") from error


async def _addresses(url: Url, resolve: Resolve) -> Sequence[str]:
    if url.fixed_addresses:
        return url.fixed_addresses
    try:
        addresses = await resolve(url)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(FetchResult.DNS_FAILED, f"{url.host} cannot be looked up") from error
    if not addresses:
        raise FetchFailed(FetchResult.DNS_FAILED, f"{url.host} has no address")
    return addresses[:MAX_ADDRESSES]


async def _connect(
    url: Url, context: ssl.SSLContext, addresses: Sequence[str], seconds: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Try the addresses in order, each with a share of the time, so that a dead IPv6 route does not hide IPv4."""
    is_https = url.scheme == "https"
    for position, address in enumerate(addresses):
        is_last = position == len(addresses) - 1
        try:
            async with asyncio.timeout(None if is_last else seconds / len(addresses)):
                return await asyncio.open_connection(
                    address,
                    url.port,
                    ssl=context if is_https else None,
                    server_hostname=url.host if is_https else None,
                )
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
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, max_bytes: int
) -> bytes:
    # h11 has a limit as well. It is set above MAX_HEAD_BYTES, so that the check below always applies first.
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES + _READ_BYTES)
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    received, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            framing = received - len(body)
            _require(
                framing <= MAX_HEAD_BYTES, FetchResult.TOO_LARGE, f"more than {MAX_HEAD_BYTES} bytes around the body"
            )
            data = await reader.read(_READ_BYTES)
            received += len(data)
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            _require_plain_ok(event, max_bytes)
        elif isinstance(event, h11.Data):
            body += event.data
            _require(len(body) <= max_bytes, FetchResult.TOO_LARGE, f"more than {max_bytes} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        else:  # 1xx is skipped; the framing limit bounds how many
            is_interim = isinstance(event, h11.InformationalResponse)
            _require(is_interim, FetchResult.MALFORMED, "the connection was closed before the response")


def _require_plain_ok(response: h11.Response, max_bytes: int) -> None:
    status = response.status_code
    if status in _REDIRECTS:
        raise FetchFailed(FetchResult.REDIRECT, f"status {status}: redirects are not followed", status=status)
    if status != _OK:
        raise FetchFailed(FetchResult.HTTP_STATUS, f"status {status} instead of 200", status=status)
    for name, value in response.headers:
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise FetchFailed(
                FetchResult.MALFORMED, "the body has a content encoding, although the request asked for identity"
            )
        if name == b"content-length":  # h11 has checked that it is one number, of at most 20 digits
            _require(int(value) <= max_bytes, FetchResult.TOO_LARGE, f"more than {max_bytes} bytes")


def _require(condition: bool, result: FetchResult, detail: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise FetchFailed(result, detail)
