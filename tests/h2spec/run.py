"""Runs h2spec, the conformance suite of HTTP/2, against the engine: `make h2spec`.

python -m tests.h2spec.run FOLDER    # h2spec is built into this folder if it is not there; without Go nothing is run

h2spec is a Go module and speaks TCP only. Its own encoder ignores SETTINGS_HEADER_TABLE_SIZE, which RFC 9113 section
4.3.1 tells us to end the connection for; so here, and only here, the engine announces the default table of 4096 bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

from authz.http2.connection import Connection
from authz.server import http2_engine
from authz.server.engine import Service
from authz.tools.processes.machine import LOOPBACK, free_port

MODULE = "github.com/summerwind/h2spec/cmd/h2spec@latest"
"""v2.2.1 of 2019 is the last release; the proxy does not know it by that name, for the module has no go.mod."""

TESTS = 145
DEFAULT_TABLE_BYTES = 4096
SECONDS = 300

EXCEPTIONS = {
    ("http2/5.3.1", "Sends HEADERS frame that depend on itself"): "RFC 9113 section 5.3.2: priority is not acted on",
    ("http2/5.3.1", "Sends PRIORITY frame that depend on itself"): "RFC 9113 section 5.3.2: priority is not acted on",
}
"""Tests that are expected to fail: RFC 7540 had a rule that RFC 9113 has not."""


def main() -> int:
    """Run it. Returns 1 if a test failed that may not, or one passed that is excepted."""
    program = _program(Path(sys.argv[1]))
    if program is None:
        print("h2spec is skipped: Go is needed to build it (https://go.dev/dl)")
        return 0
    failures, count = _run(program)
    for test, text in failures.items():
        print(f"{'excepted' if test in EXCEPTIONS else 'FAILED'}: {test[0]} {test[1]}: {EXCEPTIONS.get(test, text)}")
    print(f"h2spec: {count} tests, {count - len(failures)} passed, {len(EXCEPTIONS)} excepted")
    return 0 if failures.keys() == EXCEPTIONS.keys() and count == TESTS else 1


def _program(folder: Path) -> Path | None:
    program = folder / "h2spec"
    if not program.exists():
        if shutil.which("go") is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"GOBIN": str(folder.resolve())}
        subprocess.run(["go", "install", MODULE], env=environment, check=True)
    return program


def _run(program: Path) -> tuple[dict[tuple[str, str], str], int]:
    """The failed tests with their results, and the number of all tests."""
    setattr(http2_engine, "Connection", partial(Connection, table_size=DEFAULT_TABLE_BYTES))  # noqa: B010 - of this run
    port = free_port()
    engine = http2_engine.Http2Engine(f"{LOOPBACK}:{port}", Service({}, lambda _call: b""))
    thread = threading.Thread(target=engine.serve)
    thread.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [str(program), "-h", LOOPBACK, "-p", str(port), "-o", "2", "-j", str(report)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=SECONDS)
            cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - written by the line above
    finally:
        engine.stop(0.0)
        thread.join()
    failures = {}
    for case in cases:
        fault = next((case.find(name) for name in ("error", "failure", "skipped") if case.find(name) is not None), None)
        if fault is not None:
            failures[case.attrib["package"], case.attrib["classname"]] = " ".join((fault.text or "").split())
    return failures, len(cases)


if __name__ == "__main__":
    sys.exit(main())
