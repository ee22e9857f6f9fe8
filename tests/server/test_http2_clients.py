"""The engine and the HTTP/2 clients of others. grpcio is in test_data_plane.py, tonic and
grpc-go in test_grpc_clients.py, Envoy in tests/e2e and tests/faults."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.server.http2_engine import Http2Engine
from authz.tools.processes.machine import free_port
from tests.http2.talk import message
from tests.server.serving import ECHO, Running, running

GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
needs_nghttp2 = pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp (Debian: nghttp2-client) is missing")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def served(port: int) -> Iterator[Running]:
    with running(Http2Engine, address=f"127.0.0.1:{port}") as one:
        yield one


def said(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return ran.stdout.decode("utf-8", "replace")


@needs_nghttp2
def test_nghttp_gets_its_answer_and_the_trailers(served: Running, port: int, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(message(b"abc"))

    shown = said("nghttp", "-v", *GRPC, "-d", str(body), f"http://127.0.0.1:{port}{ECHO}")

    assert ":status: 200" in shown
    assert "grpc-status: 0" in shown
    assert "cba" in shown
    assert served.handled == [b"abc"]


@needs_nghttp2
def test_nghttp_that_gets_a_page_is_told_that_there_is_none(served: Running, port: int) -> None:
    shown = said("nghttp", "-v", f"http://127.0.0.1:{port}/")

    assert ":status: 405" in shown
    assert served.handled == []


@needs_nghttp2
@pytest.mark.parametrize("window", ["30", "14"], ids=["wide", "narrow"])
def test_h2load_gets_every_answer(served: Running, port: int, window: str, tmp_path: Path) -> None:
    """With a window of 2^14-1 bytes on stream and connection, answers of 20 kB wait for WINDOW_UPDATE."""
    body = tmp_path / "body"
    body.write_bytes(message(bytes(20_000)))
    target = f"http://127.0.0.1:{port}{ECHO}"

    shown = said("h2load", "-n200", "-c2", "-m16", f"-w{window}", f"-W{window}", "-d", str(body), *GRPC, target)

    assert "200 succeeded, 0 failed, 0 errored" in shown
    assert len(served.handled) == 200
