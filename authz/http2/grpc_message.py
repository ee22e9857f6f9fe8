"""gRPC's message framing in DATA: one byte for compression, four for the length (gRPC over HTTP/2)."""

from __future__ import annotations

from authz.http2.limits import MAX_MESSAGE_BYTES
from authz.http2.responses import INTERNAL, RESOURCE_EXHAUSTED, UNIMPLEMENTED, Response, status_response

PREFIX_BYTES = 5

_COMPRESSED = status_response(UNIMPLEMENTED, "compressed messages are not supported")
_UNKNOWN_FLAGS = status_response(INTERNAL, "unknown flags before the message")
_TOO_LARGE = status_response(RESOURCE_EXHAUSTED, f"the message is larger than {MAX_MESSAGE_BYTES} bytes")
_NOT_ONE = status_response(UNIMPLEMENTED, "this method takes exactly one message")
_CUT_SHORT = status_response(INTERNAL, "the message is cut short")


def message_fault(body: bytes | bytearray, *, is_whole: bool) -> Response | None:
    """Return the error response if the bytes are not one uncompressed message or its beginning, else None."""
    if body and body[0]:
        return _COMPRESSED if body[0] == 1 else _UNKNOWN_FLAGS
    length = int.from_bytes(body[1:PREFIX_BYTES], "big") if len(body) >= PREFIX_BYTES else 0
    if length > MAX_MESSAGE_BYTES:
        return _TOO_LARGE
    if len(body) > PREFIX_BYTES + length or (is_whole and not body):
        return _NOT_ONE
    return _CUT_SHORT if is_whole and len(body) < PREFIX_BYTES + length else None
