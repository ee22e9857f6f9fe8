"""The log: one line per event as JSON or console text, written by a separate thread.

A log collector that stalls must not delay requests: events go to a bounded queue, and are dropped and counted if it is
full. They are written in batches, because to wake a thread takes longer than a check. No token, Authorization header or
cookie is ever passed to this file.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from authz.core.decision import Agreement, Comparison, Decision
from authz.core.reasons import Outcome, Reason
from authz.observe.tracing import TracedCall, trace_id

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
MAX_QUEUED_LINES = 10_000
"""About a second of refusals at full load: 5 MB at 500 bytes per line."""

MAX_PATH_CHARACTERS = 512
MAX_NAME_CHARACTERS = 128
"""The longest key id, subject or method in a line. Clients choose their length."""

_GATHER_SECONDS = 0.02
"""How long the first event waits, so that a batch contains more."""

_FLUSH_SECONDS = 2.0
_LEVEL_OF: Mapping[Outcome, Level] = {"allow": "debug", "deny": "info", "error": "error"}
"""Level of a check's line: refusals at info, errors of the operator or of authz at error, the rest at debug."""

_encode = json.JSONEncoder(default=str).encode


class Log:
    """Writes the events at or above a level."""

    def __init__(self, level: Level = "info", form: Format = "json", stream: TextIO = sys.stderr) -> None:
        self._levels = frozenset(LEVELS[LEVELS.index(level) :])
        self._form = form
        self._stream = stream
        self._queue: deque[dict[str, Any]] = deque()
        self._some = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        """Lines that were not written: the queue was full, or writing failed."""
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def event(self, level: Level, event: str, fields: Mapping[str, Any]) -> None:
        """Write one event if its level is enabled. Never waits and never raises."""
        if level not in self._levels:
            return
        if len(self._queue) >= MAX_QUEUED_LINES:
            self.dropped += 1
            return
        self._queue.append({"time": time.time(), "level": level, "event": event, **fields})
        if not self._some.is_set():
            self._some.set()

    def check(self, decision: Decision, seconds: float, call: TracedCall) -> None:
        """Write the line of one check."""
        row = decision.reason.row
        level = _LEVEL_OF[row.outcome]
        if level not in self._levels:
            return
        self.event(
            level,
            "check",
            {
                "decision": row.outcome,
                "reason": row.label,
                "detail": decision.detail,
                **_known(decision),
                "trace_id": trace_id(call.traceparent()) if decision.reason is not Reason.OVERLOADED else "",
                "microseconds": round(seconds * 1e6),
            },
        )

    def comparison(self, decision: Decision, candidate: Comparison) -> None:
        """Write the line of a candidate: at info if it would have changed the response, else at debug."""
        level: Level = "debug" if candidate.agreement is Agreement.SAME else "info"
        if level not in self._levels:
            return
        policy = decision.policy.candidate if decision.policy else None
        self.event(
            level,
            "candidate",
            {
                "agreement": candidate.agreement,
                "reason": decision.reason.row.label,
                "detail": decision.detail,
                "candidate": policy.name if policy else "",
                "candidate_reason": candidate.reason.row.label,
                "candidate_detail": candidate.detail,
                **_known(decision),
            },
        )

    def close(self) -> None:
        """Write the queued events, within a bounded time."""
        self._closing.set()
        self._some.set()
        self._thread.join(_FLUSH_SECONDS)

    def _write(self) -> None:
        while not (self._closing.is_set() and not self._queue):
            self._some.wait()
            self._closing.wait(_GATHER_SECONDS)
            self._some.clear()
            self._write_batch(len(self._queue))

    def _write_batch(self, count: int) -> None:
        line = _json_line if self._form == "json" else _console_line
        try:
            self._stream.write("".join(line(self._queue.popleft()) for _ in range(count)))
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += count


def _known(decision: Decision) -> dict[str, str]:
    """Return the log fields of a request: policy, token and request attributes."""
    request, identity = decision.request, decision.identity
    return {
        "policy": decision.policy.name if decision.policy else "",
        "issuer": decision.issuer,
        "kid": (identity.key_id if identity else decision.unverified_key_id)[:MAX_NAME_CHARACTERS],
        "subject": identity.subject[:MAX_NAME_CHARACTERS] if identity else "",
        "method": request.method[:MAX_NAME_CHARACTERS] if request else "",
        "path": path_without_query(request.path) if request else "",
        "request_id": request.request_id if request else "",
    }


def path_without_query(path: str) -> str:
    """Return the path for a log line. The parts after `?` or `#` can contain secrets."""
    return path.partition("?")[0].partition("#")[0][:MAX_PATH_CHARACTERS]


def _timestamp(record: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(record["time"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json_line(record: dict[str, Any]) -> str:
    """Return an event as one line of ASCII JSON. Control characters are escaped, including line breaks."""
    return _encode(record | {"time": _timestamp(record)}) + "\n"


def _console_line(record: dict[str, Any]) -> str:
    fields = " ".join(
        f"{name}={_encode(value)}"
        for name, value in record.items()
        if name not in {"time", "level", "event"} and value != "" and value is not None
    )
    return f"{_timestamp(record)} {record['level']:7} {record['event']} {fields}\n"
