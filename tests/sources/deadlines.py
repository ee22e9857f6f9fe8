"""Fetches with a deadline that is waited for, and with one that only a hang reaches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authz.sources.fetch_result import FetchFailed

SHORT = 0.6
"""The deadline where one is waited for."""

AMPLE = 8.0
"""A deadline that only a hang reaches, also on a busy machine."""

GUARD = 30
"""Seconds after which a fetch has no deadline at all."""

Fetch = Callable[..., bytes]


def failure_of(fetch: Fetch, *arguments: str, **options: object) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        fetch(*arguments, **options)
    return failed.value
