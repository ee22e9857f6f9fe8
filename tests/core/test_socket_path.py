"""The kernel's limit of a Unix socket path."""

from __future__ import annotations

import pytest

from authz.core.socket_path import MAX_SOCKET_PATH_BYTES, is_too_long


@pytest.mark.parametrize(("length", "expected"), [(MAX_SOCKET_PATH_BYTES, False), (MAX_SOCKET_PATH_BYTES + 1, True)])
def test_a_path_is_too_long_from_the_byte_after_the_limit(length: int, expected: bool) -> None:  # noqa: FBT001
    assert is_too_long(b"/" * length) is expected
