"""The status of a worker that serves, with nothing going on unless a test says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from authz.observe.tally import Tally
from authz.observe.worker_status import WorkerStatus
from authz.sources.source_status import KeyInUse, KeyStatus, RevocationsStatus


def worker_status(tally: Tally | None = None, **changes: Any) -> WorkerStatus:
    """Return the status of a worker. `changes` replaces fields."""
    status = WorkerStatus(
        counts=(tally or Tally()).snapshot(),
        engine="h2",
        serving=True,
        in_flight=0,
        turns=1,
        lines_dropped=0,
        peer_faults={},
        keys={},
        userinfo={},
        revocations=None,
    )
    return replace(status, **changes)


def key_status(count: int) -> KeyStatus:
    """Return the status of an issuer with so many keys."""
    keys = tuple(KeyInUse(f"key-{number}", ("RS256",), 0.0) for number in range(count))
    return KeyStatus("any", keys, (), None, None, {}, 0, stale=False)


def revocations_status(*, read: bool) -> RevocationsStatus:
    """Return the status of an empty revocation list."""
    return RevocationsStatus(read=read, entries=0, last_success=None, loads={})
