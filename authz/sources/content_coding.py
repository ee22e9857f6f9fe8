"""Decode a body that was compressed although `identity` was asked for (RFC 9110 section 8.4).

Object stores and content delivery networks send files as they are stored, compressed or not.
"""

from __future__ import annotations

import zlib

from authz.sources.fetch_result import FetchFailed, FetchResult

_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_SHOWN_CHARACTERS = 40


class BodyDecoder:
    """Decodes the body of one response, piece by piece."""

    def __init__(self, coding: str = "") -> None:
        """Raise FetchFailed(MALFORMED) for a Content-Encoding other than gzip."""
        name = coding.strip().lower()
        if name not in _PLAIN | _GZIP:
            detail = f"the body has the content coding {name!r:.{_SHOWN_CHARACTERS}}: only gzip is decoded"
            raise FetchFailed(FetchResult.MALFORMED, detail)
        self._gzip = zlib.decompressobj(_GZIP_FORMAT) if name in _GZIP else None

    def decode(self, data: bytes, limit: int) -> bytes:
        """Return at most `limit` bytes if the body is compressed: a bomb is never unpacked. `limit` is at least 1."""
        if self._gzip is None:
            return data
        try:
            return self._gzip.decompress(data, limit)
        except zlib.error as error:
            raise FetchFailed(FetchResult.MALFORMED, "the body is not gzip, as its header says") from error

    def finish(self) -> None:
        """Raise FetchFailed(MALFORMED) if the compressed body has no end, or something behind it."""
        if self._gzip is not None and (not self._gzip.eof or self._gzip.unused_data):
            raise FetchFailed(FetchResult.MALFORMED, "the body is not one whole gzip stream")
