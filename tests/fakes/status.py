"""What a worker tells the supervisor once a second, with nothing going on but what a test says."""

from __future__ import annotations

from typing import Any

from authz.observe.tally import Tally


def worker_status(tally: Tally | None = None, **parts: Any) -> dict[str, Any]:
    """The status of a worker that serves; `parts` replace what is said."""
    said: dict[str, Any] = {
        "keys": {},
        "revocations": None,
        "userinfo": {},
        "lines_dropped": 0,
        "peer_faults": {},
        "in_flight": 0,
        "serving": True,
        "turns": 1,
        "engine": "h2",
    }
    return (tally or Tally()).snapshot() | said | parts
