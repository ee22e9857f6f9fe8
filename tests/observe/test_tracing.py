"""Spans, as a collector on loopback receives them over OTLP/HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from authz.observe import tracing
from authz.observe.tracing import SpanExport
from authz.server.methods import CHECK_METHOD
from tests.fakes.checks import Rig, access_token, check_request
from tests.fakes.sidecar import fresh_token, sidecar
from tests.fakes.waiting import until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


class Collector:
    """Receives the exporters' data; waits while `hold` is not set."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.hold = Event()
        self.hold.set()
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.hold.wait(10)
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def take(self, request: Any) -> None:
        for resource in request.resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    one = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{one.server.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "authz")
    before = set(threading.enumerate())
    yield one
    one.hold.set()
    one.server.shutdown()
    one.server.server_close()
    # An exporter that is still trying draws from `random` for its pauses, under the feet of the next test's generator.
    until(lambda: not _exporters(before), 60)


def _exporters(before: set[Thread]) -> list[Thread]:
    return [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("Otel")]


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def trace(collector: Collector, complaints: list[str]) -> Iterator[SpanExport]:
    del collector
    started = tracing.start(complaints.append)
    assert started is not None
    yield started
    started.close()


def test_check_of_a_sampled_caller_is_one_span_below_its_own(trace: SpanExport, collector: Collector) -> None:
    decision = Rig().decide(access_token(scope="x"), "reading")
    begin = time.time_ns()

    trace.span(decision, 0.25, SAMPLED)

    until(lambda: collector.spans, 10)
    (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.name) == (TRACE, PARENT, "check")
    assert span.end_time_unix_nano - span.start_time_unix_nano == 250_000_000
    assert abs(span.end_time_unix_nano - begin) < 60e9
    assert {item.key: item.value.string_value for item in span.attributes} == {
        "authz.decision": "deny",
        "authz.reason": "scope_insufficient",
        "authz.policy": "reading",
        "authz.issuer": "cognito",
    }
    assert collector.services == {"authz"}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-02",
        "x",
        f"ff-{TRACE}-{PARENT}-01",
        SAMPLED + "\n",
        "é" * 55,
    ],
)
def test_caller_that_is_not_sampled_costs_no_span(trace: SpanExport, collector: Collector, traceparent: str) -> None:
    trace.span(Rig().decide(), 0.001, traceparent)
    trace.span(Rig().decide(), 0.001, SAMPLED)

    until(lambda: collector.spans, 10)
    assert len(collector.spans) == 1


def test_collector_that_stands_still_holds_nobody_up(trace: SpanExport, collector: Collector) -> None:
    collector.hold.clear()
    decision = Rig().decide()

    begin = time.monotonic()
    for _ in range(10_000):
        trace.span(decision, 0.001, SAMPLED)
    trace.close()

    assert time.monotonic() - begin < 20
    collector.hold.set()


def test_collector_that_refuses_is_said_in_our_own_log(
    trace: SpanExport, collector: Collector, complaints: list[str]
) -> None:
    collector.status = 400

    trace.span(Rig().decide(), 0.001, SAMPLED)

    until(lambda: complaints, 10)
    assert "400" in complaints[0]


def test_nothing_is_traced_or_loaded_where_nobody_asks_for_it() -> None:
    code = "import sys; from authz.observe import tracing; print(tracing.start(print), 'opentelemetry' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, timeout=30, check=True)

    assert ran.stdout == "None False\n"


def test_missing_extra_is_named_with_its_cure(
    collector: Collector, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del collector
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)

    assert tracing.start(complaints.append) is None
    assert "pip install 'envoy-jwt-authz[tracing]'" in complaints[0]


@pytest.mark.parametrize(
    ("traceparent", "expected"), [(SAMPLED, TRACE), ("", ""), ("00-x-y-01", ""), (SAMPLED + "-x", "")]
)
def test_trace_id_is_taken_from_what_is_well_formed_only(traceparent: str, expected: str) -> None:
    assert tracing.trace_id(traceparent) == expected


@pytest.mark.parametrize("engine", ["h2", "grpc"])
def test_running_sidecar_traces_calls_that_carry_a_sampled_traceparent(collector: Collector, engine: str) -> None:
    settings = {name: os.environ[name] for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_BSP_SCHEDULE_DELAY")}
    with sidecar(1, "--engine", engine, **settings) as one, grpc.insecure_channel(one.addresses[0]) as channel:
        check = channel.unary_unary(CHECK_METHOD, None, None)
        for metadata in ((), (("traceparent", SAMPLED),)):
            check(check_request(fresh_token(), "reading"), timeout=10, metadata=metadata)

        until(lambda: collector.spans, 10)
    assert [span.trace_id.hex() for span in collector.spans] == [TRACE]
    assert collector.services == {"authz"}
