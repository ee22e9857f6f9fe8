"""Read the header list of a request: is it well formed (RFC 9113 section 8), is it gRPC, and which fields matter.

A malformed list ends the stream. A well-formed request that is not gRPC gets an HTTP response, so that a browser or a
probe on the wrong port learns why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from authz.http2.frames import ErrorCode, StreamFault
from authz.http2.responses import INTERNAL, Response, http_response, status_response

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
"""A field name: a token (RFC 9110 section 5.6.2) without capital letters (RFC 9113 section 8.2.1)."""

_VALUE = re.compile(rb"[^\x00\r\n]*")
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_NEEDED = _PSEUDO - {b":authority"}
_CONNECTION_SPECIFIC = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_ONCE = frozenset({b"content-length", b"content-type", b"grpc-timeout", b"host"})
_GRPC = re.compile(rb"application/grpc(?:[+;].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The parts of a header list that a call needs."""

    path: str
    """The method's full name: `/package.Service/Method`."""
    timeout_seconds: float
    """`grpc-timeout`, infinite if the caller set none."""
    traceparent: str
    content_length: int | None
    response: Response | None
    """The response to a request that is not a valid gRPC call. None for a valid one."""


def read_request_head(fields: Iterable[tuple[bytes, bytes]]) -> RequestHead:
    """Read the header list that opens a stream. Raises StreamFault if it is malformed."""
    pseudo, regular = _split(fields)
    method = pseudo.get(b":method")
    if method == b"CONNECT":
        if b":authority" not in pseudo or len(pseudo) != 2:  # noqa: PLR2004 - RFC 9113 section 8.5
            raise _malformed("CONNECT with other pseudo-header fields than :authority")
    elif not pseudo.keys() >= _NEEDED or not pseudo[b":path"]:
        raise _malformed("a pseudo-header field is missing")
    if b"host" in regular and regular[b"host"] != pseudo.get(b":authority", regular[b"host"]):
        raise _malformed("host and :authority differ")
    timeout = _timeout(regular.get(b"grpc-timeout"))
    length = _content_length(regular.get(b"content-length"))
    response = _response(method, regular.get(b"content-type", b""), timeout)
    return RequestHead(
        path=pseudo.get(b":path", b"").decode("latin-1"),
        timeout_seconds=inf if timeout is None else timeout,
        traceparent=regular.get(b"traceparent", b"").decode("latin-1"),
        content_length=length,
        response=response,
    )


def require_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Check the header list that ends a stream. Raises StreamFault if it is malformed."""
    pseudo, _regular = _split(fields)
    if pseudo:
        raise _malformed("a pseudo-header field in trailers")


def _split(fields: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Split into pseudo-header and regular fields. If a repeatable name occurs more than once, the last one is used."""
    pseudo: dict[bytes, bytes] = {}
    regular: dict[bytes, bytes] = {}
    for name, value in fields:
        if name.startswith(b":"):
            if regular or name in pseudo or name not in _PSEUDO:
                raise _malformed("a pseudo-header field that is late, twice or unknown")
            pseudo[name] = value
        elif not _NAME.fullmatch(name) or name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
            raise _malformed("a field name that is not allowed")
        elif name in _ONCE and regular.get(name, value) != value:
            raise _malformed("a field that says two things")
        else:
            regular[name] = value
        if not _VALUE.fullmatch(value) or value != value.strip(b" \t"):
            raise _malformed("a field value that is not allowed")
    return pseudo, regular


def _content_length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:  # noqa: PLR2004 - 64 bits
        raise _malformed("a content-length that is no number")
    return int(value)


def _timeout(value: bytes | None) -> float | None:
    """Seconds, infinite if there is no field, None if it is invalid."""
    if value is None:
        return inf
    match = _TIMEOUT.fullmatch(value)
    return int(match[1]) * _UNIT_SECONDS[match[2]] if match else None


def _response(method: bytes | None, content_type: bytes, timeout: float | None) -> Response | None:
    if method != b"POST":
        return http_response(405, b"" if method == b"HEAD" else b"this server takes POST requests of gRPC only\n")
    if not _GRPC.fullmatch(content_type):
        return http_response(415, b"this server speaks gRPC only\n")
    return status_response(INTERNAL, "malformed grpc-timeout") if timeout is None else None


def _malformed(text: str) -> StreamFault:
    return StreamFault(ErrorCode.PROTOCOL_ERROR, text)
