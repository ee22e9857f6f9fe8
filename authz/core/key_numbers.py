"""Tell keys apart that share a `kid`, or have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator


def numbered(key_ids: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each `kid` with its number among the equal ones so far, from 1. The keys of an issuer keep their order."""
    numbers = Counter[str]()
    for key_id in key_ids:
        numbers[key_id] += 1
        yield key_id, numbers[key_id]
