"""When a worker sends its next status message to the supervisor."""

from __future__ import annotations

from authz.observe.worker_status import WorkerStatus

REPORT_SECONDS = 1.0
"""Interval of the status messages. If a worker is killed, at most this much counting is lost."""

STARTING_REPORT_SECONDS = 0.05
"""Interval of the status messages until the worker serves with all keys, so that readiness is known without delay."""

STARTING_SECONDS = 10.0
"""How long a worker without all keys counts as starting: an issuer can be unreachable for days."""


def report_interval(status: WorkerStatus, age_seconds: float) -> float:
    """Return the seconds until the next status message of a worker of this age."""
    if not status.engine:
        return STARTING_REPORT_SECONDS
    has_all = all(source.keys for source in status.keys.values()) and (
        status.revocations is None or status.revocations.read
    )
    return REPORT_SECONDS if has_all or age_seconds > STARTING_SECONDS else STARTING_REPORT_SECONDS
