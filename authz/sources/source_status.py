"""The status of each kind of source, for metrics, readiness and `/keys`.

Plain frozen values of JSON types: a worker sends them to the supervisor inside a `WorkerStatus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authz.core.keyset import DroppedKey
from authz.sources.fetch_result import FetchResult


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """One key of the current key set."""

    kid: str
    algorithms: tuple[str, ...]
    first_seen: float
    """Wall clock, seconds since 1970, of the fetch that first returned this key under this kid."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One issuer's keys and how its fetches ended."""

    alias: str
    keys: tuple[KeyInUse, ...]
    """The keys in use, in document order. Empty before the first successful fetch, and when stale."""
    dropped: tuple[DroppedKey, ...]
    """Keys of the last good document that are not used, and why."""
    last_success: float | None
    """Wall clock, seconds since 1970, of the last successful fetch."""
    last_result: FetchResult | None
    fetches: Mapping[FetchResult, int]
    """Number of fetches by result. Every result is present."""
    unknown_kids: int
    """How often a request needed a key that was not in the set."""
    stale: bool
    """Whether the last successful fetch is older than `max_stale`. False if there never was one."""


@dataclass(frozen=True, slots=True)
class RevocationsStatus:
    """The revocation list of one worker."""

    read: bool
    """Whether a good list was ever read. Until then every token is refused."""
    entries: int
    last_success: float | None
    """Wall clock, seconds since 1970, of the last successful read."""
    loads: Mapping[FetchResult, int]
    """Number of reads by result. Every possible result is present."""


@dataclass(frozen=True, slots=True)
class UserinfoStatus:
    """The requests to one issuer's userinfo endpoint."""

    fetches: Mapping[str, int]
    """Number of requests by result. Every result is present."""
