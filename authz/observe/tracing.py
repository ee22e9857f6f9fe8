"""One OpenTelemetry span per check, for callers whose trace is sampled (W3C Trace Context; extra `tracing`).

A span is created after the response is written. A thread of the exporter sends the spans in batches from a bounded
queue. Spans that cannot be sent are dropped. OpenTelemetry is not loaded unless OTEL_EXPORTER_OTLP_ENDPOINT is set.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from authz.core.decision import Decision

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
LAST_SPANS_SECONDS = 1.0
"""Time limit for the last spans when a worker ends."""

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_SAMPLED = 0x01


class TracedCall(Protocol):
    """A call with a trace context."""

    def traceparent(self) -> str:
        """Return the unchecked W3C `traceparent` header of the caller, empty if it sent none."""


class SpanExport(Protocol):
    """Exports one span per check."""

    def span(self, decision: Decision, seconds: float, traceparent: str) -> None:
        """Export a check that has just ended, for a caller with this `traceparent`."""

    def close(self) -> None:
        """Send the remaining spans, within a bounded time."""


def trace_id(traceparent: str) -> str:
    """Return the trace id of a caller, empty if it has none."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return match["trace"] if match else ""


def start(warn: Callable[[str], None]) -> SpanExport | None:
    """Start tracing if the environment enables it. `warn` is called with every problem."""
    if not os.environ.get(ENDPOINT_VARIABLE):
        return None
    try:
        return _Spans(warn)
    except ImportError as error:
        warn(f"{ENDPOINT_VARIABLE} is set, but {error.name} is missing: pip install 'envoy-jwt-authz[tracing]'")
        return None


class _Spans:
    """Spans through OpenTelemetry's SDK, which reads its standard OTEL_ variables."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - an extra, and slow to import
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.handlers = [_ExporterLog(warn)]
        os.environ.setdefault("OTEL_SERVICE_NAME", "authz")
        self._trace: Any = trace
        self._provider: Any = TracerProvider(resource=Resource.create(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Any = self._provider.get_tracer("authz")

    def span(self, decision: Decision, seconds: float, traceparent: str) -> None:
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is not None and int(match["flags"], 16) & _SAMPLED:
            with suppress(Exception):  # a failing exporter must not affect the check
                self._span(decision, seconds, match)

    def _span(self, decision: Decision, seconds: float, match: re.Match[str]) -> None:
        api, ended = self._trace, time.time_ns()
        parent = api.SpanContext(int(match["trace"], 16), int(match["span"], 16), True, api.TraceFlags(_SAMPLED))  # noqa: FBT003
        context = api.set_span_in_context(api.NonRecordingSpan(parent))
        began = ended - int(seconds * 1e9)
        span = self._tracer.start_span("check", context, api.SpanKind.SERVER, _attributes(decision), start_time=began)
        span.end(ended)

    def close(self) -> None:
        # An endpoint that does not answer would block shutdown() for half a minute, so it runs in a daemon thread.
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(LAST_SPANS_SECONDS)


def _attributes(decision: Decision) -> dict[str, str]:
    """Return the span attributes. Like metric labels, they come only from the configuration and the reason table."""
    return {
        "authz.decision": decision.reason.row.outcome,
        "authz.reason": decision.reason.row.label,
        "authz.policy": decision.policy.name if decision.policy else "",
        "authz.issuer": decision.issuer,
    }


class _ExporterLog(logging.Handler):
    """Forwards the exporter's warnings to authz's log."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        self._warn(f"{record.getMessage():.300}")
