"""One line per event, JSON or for a console, written by a thread of its own.

A log collector that stalls must not stall a request: lines wait in a bounded queue, and past its bound they are
dropped and counted. No token, Authorization header or cookie is ever handed to this file.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from authz.core.decision import Agreement, Comparison, Decision
from authz.core.reasons import Reason
from authz.server.check import Call

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
MAX_QUEUED_LINES = 10_000
"""About a second of refusals at full load; at 500 bytes a line, 5 MB."""

MAX_PATH_CHARACTERS = 512
MAX_NAME_CHARACTERS = 128
"""Of a key id, a subject, a method: strangers choose how long theirs are."""

_FLUSH_SECONDS = 2.0


class Log:
    """Writes events that are at or above a level."""

    def __init__(self, level: Level = "info", form: Format = "json", stream: TextIO = sys.stderr) -> None:
        self._lowest = LEVELS.index(level)
        self._form = form
        self._stream = stream
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(MAX_QUEUED_LINES)
        self.dropped = 0
        """Lines that did not fit into the queue."""
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def event(self, level: Level, event: str, fields: Mapping[str, Any]) -> None:
        """Write one event, if its level counts. Never waits and never raises."""
        if LEVELS.index(level) < self._lowest:
            return
        try:
            self._queue.put_nowait({"time": time.time(), "level": level, "event": event, **fields})
        except queue.Full:
            self.dropped += 1

    def check(self, decision: Decision, seconds: float, call: Call) -> None:
        """The line of one check: refusals at info, the operator's and our own errors at error, the rest at debug."""
        row = decision.reason.row
        level: Level = {"allow": "debug", "deny": "info", "error": "error"}[row.outcome]  # type: ignore[assignment]
        if LEVELS.index(level) < self._lowest:
            return
        self.event(
            level,
            "check",
            {
                "decision": row.outcome,
                "reason": row.label,
                "detail": decision.detail,
                **_known(decision),
                "trace_id": call.trace_id() if decision.reason is not Reason.OVERLOADED else "",
                "microseconds": round(seconds * 1e6),
            },
        )

    def comparison(self, decision: Decision, candidate: Comparison) -> None:
        """The line of a candidate: at info where it would have changed the answer, else at debug."""
        level: Level = "debug" if candidate.agreement is Agreement.SAME else "info"
        if LEVELS.index(level) < self._lowest:
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
        """Write what is queued, within a bounded time."""
        try:
            self._queue.put(None, timeout=_FLUSH_SECONDS)
        except queue.Full:
            return
        self._thread.join(_FLUSH_SECONDS)

    def _write(self) -> None:
        line = _json_line if self._form == "json" else _console_line
        while (record := self._queue.get()) is not None:
            try:
                self._stream.write(line(record))
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                self.dropped += 1


def _known(decision: Decision) -> dict[str, str]:
    """What is known of a request: which it is, who sent it, what it was held against."""
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
    """The path for a log line: what follows `?` or `#` may hold a secret."""
    return path.partition("?")[0].partition("#")[0][:MAX_PATH_CHARACTERS]


def _timestamp(record: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(record["time"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json_line(record: dict[str, Any]) -> str:
    """ASCII JSON: control characters, line breaks among them, are escaped, so one event is one line."""
    return json.dumps(record | {"time": _timestamp(record)}, default=str) + "\n"


def _console_line(record: dict[str, Any]) -> str:
    fields = " ".join(
        f"{name}={json.dumps(value, default=str)}"
        for name, value in record.items()
        if name not in {"time", "level", "event"} and value != "" and value is not None
    )
    return f"{_timestamp(record)} {record['level']:7} {record['event']} {fields}\n"
