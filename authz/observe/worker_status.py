"""The status that a worker reports to the supervisor once a second.

It is defined here, not in `server`, because the metrics page reads it and `observe` must not import `server`.
`server/messages.py` writes it as JSON and reads it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authz.sources.source_status import KeyStatus, RevocationsStatus, UserinfoStatus


@dataclass(frozen=True, slots=True)
class CheckCounts:
    """Counts of checks since the worker started. They only grow."""

    checks: tuple[tuple[str, str, str, int], ...]
    """Reason, policy, issuer, count."""
    buckets: tuple[int, ...]
    """Checks per duration bucket, not cumulative. The last bucket has no upper bound."""
    sum_seconds: float
    hits: int
    """Tokens found in the token cache."""
    misses: int
    candidates: tuple[tuple[str, str, int], ...]
    """Policy, agreement, count."""
    api_refusals: tuple[tuple[str, str, int], ...]
    """Policy, issuer, count."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The state of one worker at one moment."""

    counts: CheckCounts
    engine: str
    """Name of the engine, empty until it serves."""
    serving: bool
    in_flight: int
    """Calls accepted and not yet answered."""
    turns: int
    """Grows while the engine's loop is alive. The supervisor takes a worker with a constant value for stuck."""
    lines_dropped: int
    peer_faults: Mapping[str, int]
    """HTTP/2 connections and streams that the worker ended because of the peer, by cause."""
    keys: Mapping[str, KeyStatus]
    """By issuer alias."""
    userinfo: Mapping[str, UserinfoStatus]
    """By issuer alias. Only issuers whose userinfo endpoint is known."""
    revocations: RevocationsStatus | None
    """None if no revocation list is configured."""
