"""The header blocks that we write, read by hpack."""

from __future__ import annotations

import pytest
from hpack import Decoder
from hpack.hpack import decode_integer

from authz.http2.responses import _integer, _literal

LENGTHS = [0, 1, 14, 15, 16, 126, 127, 128, 142, 143, 144, 254, 255, 256, 383, 384, 16_510, 16_511, 16_512, 70_000]


@pytest.mark.parametrize("prefix_bits", [4, 7])
@pytest.mark.parametrize("value", LENGTHS)
def test_hpack_reads_every_integer_that_we_write(value: int, prefix_bits: int) -> None:
    """RFC 7541 section 5.1. One value has many codes: ours is the shortest."""
    written = _integer(value, prefix_bits)

    assert decode_integer(written, prefix_bits) == (value, len(written))
    assert written[-1] or len(written) <= 2


@pytest.mark.parametrize("length", LENGTHS)
def test_hpack_reads_every_field_that_we_write(length: int) -> None:
    written = _literal(b"n" * max(1, length), b"v" * length) + _literal(31, b"v" * length)

    fields = Decoder(10**6).decode(written, raw=True)

    assert list(fields) == [(b"n" * max(1, length), b"v" * length), (b"content-type", b"v" * length)]
