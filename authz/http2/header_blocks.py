"""Decode header blocks (RFC 7541), and cache them once equal bytes mean equal headers.

A block can refer to entries that earlier blocks put into the dynamic table. This server announces a table of size 0.
From the first block after the peer's acknowledgement on, no block depends on another, so one cache serves all
connections. Until then nothing is cached, and the decoder keeps the table.
"""

from __future__ import annotations

from hpack import Decoder, HPACKError, OversizedHeaderListError

from authz.http2.frames import ConnectionFault, ErrorCode
from authz.http2.limits import MAX_HEADER_LIST_BYTES, MAX_REMEMBERED_BLOCK_BYTES, MAX_REMEMBERED_BLOCKS
from authz.http2.request_head import RequestHead, read_request_head


class HeaderBlocks:
    """The header blocks of one connection. Every received block must be decoded here, in order."""

    def __init__(self, remembered: dict[bytes, RequestHead], table_size: int) -> None:
        self._decoder = Decoder(MAX_HEADER_LIST_BYTES)
        self._remembered = remembered
        self._table_size = table_size
        self._are_independent = False
        self.known: dict[bytes, RequestHead] = {}
        """Decoded blocks by their bytes. Empty while blocks depend on each other."""

    def acknowledge(self) -> None:
        """The peer acknowledged the table size. Its next block must begin with an update (RFC 9113 section 4.3.1)."""
        self._decoder.max_allowed_table_size = self._table_size
        self._are_independent = self._table_size == 0

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Return the fields of a block. Raises ConnectionFault: after an error no later block can be decoded."""
        try:
            fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header list too long", "header_list") from error
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header block that cannot be decoded") from error
        if self._are_independent:
            self.known = self._remembered
        return fields

    def read(self, block: bytes) -> RequestHead:
        """Return the request head of a new stream. Raises ConnectionFault, or StreamFault if it is malformed."""
        head = read_request_head(self.decode(block))
        if self._are_independent and len(block) <= MAX_REMEMBERED_BLOCK_BYTES:
            if len(self._remembered) >= MAX_REMEMBERED_BLOCKS:
                del self._remembered[next(iter(self._remembered))]  # the oldest: a flood costs time, never memory
            self._remembered[block] = head
        return head
