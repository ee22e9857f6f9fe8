"""Prepared responses: gRPC messages and statuses, and HTTP responses to clients that do not speak gRPC.

Our blocks use HPACK's static table and literals without indexing (RFC 7541 section 6.2.2) and never the dynamic table:
the same block is right at any time on any connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote_from_bytes

OK, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 4, 8, 12, 13
"""Status codes of gRPC that the protocol object uses itself."""

TABLE_SIZE_ZERO = b"\x20"
"""Dynamic table size update to 0 (RFC 7541 section 6.3): due in the block after the peer has made our table smaller."""

_STATUS_200 = b"\x88"
_STATUS, _ALLOW, _CONTENT_TYPE = 8, 22, 31
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if code != ord("%"))


@dataclass(frozen=True, slots=True)
class Response:
    """A response with a header block and an optional body."""

    block: bytes
    body: bytes = b""


def _integer(value: int, prefix_bits: int) -> bytes:
    """An integer (RFC 7541 section 5.1)."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes((value,))
    out, value = bytearray((limit,)), value - limit
    while value >= 0x80:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _literal(name: int | bytes, value: bytes) -> bytes:
    """A field, with its name or the name's index in the static table."""
    head = _integer(name, 4) if isinstance(name, int) else b"\0" + _integer(len(name), 7) + name
    return head + _integer(len(value), 7) + value


GRPC_HEADERS = _STATUS_200 + _literal(_CONTENT_TYPE, b"application/grpc")
"""The block before a message."""

GRPC_OK = _literal(b"grpc-status", b"0")
"""The trailers after it."""


@lru_cache(maxsize=64)
def status_response(code: int, text: str) -> Response:
    """A gRPC status without a message: trailers only."""
    block = GRPC_HEADERS + _literal(b"grpc-status", b"%d" % code)
    if text:
        block += _literal(b"grpc-message", quote_from_bytes(text.encode(), safe=_PRINTABLE).encode())
    if code == UNIMPLEMENTED:
        block += _literal(b"grpc-accept-encoding", b"identity")
    return Response(block)


@lru_cache(maxsize=8)
def http_response(status: int, body: bytes) -> Response:
    """An HTTP response to a client that does not speak gRPC."""
    block = _literal(_STATUS, b"%d" % status) + _literal(_CONTENT_TYPE, b"text/plain") + _literal(_ALLOW, b"POST")
    return Response(block, body)
