"""`authz demo` as a person runs it: the tour passes, and whatever ends it, nothing is left running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.fakes.process_tree import descendants, is_alive

_COMMAND = [sys.executable, "-m", "authz", "demo"]


@contextmanager
def _demo(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A running demo, its temporary files under tmp_path so that they can be looked for afterwards."""
    said = tmp_path / "said"
    environment = os.environ | {"TMPDIR": str(_short(tmp_path)), "PYTHONPATH": str(Path(__file__).parents[2])}
    with said.open("wb") as output:
        process = subprocess.Popen([*_COMMAND, *options], stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process, said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)


def _short(tmp_path: Path) -> Path:
    folder = tmp_path / "t"
    folder.mkdir(exist_ok=True)
    return folder


def test_tour_passes_and_shows_every_step(tmp_path: Path) -> None:
    with _demo(tmp_path, "--once", "--port", "0", "--login-port", "0") as (process, said):
        assert process.wait(120) == 0, said.read_text()

    text = said.read_text()
    assert len(re.findall(r"(?m)^\d+\. ", text)) == 10
    assert "SURPRISE" not in text
    assert "\033[" not in text
    assert list(_short(tmp_path).iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    with _demo(tmp_path, "--port", "0", "--login-port", "0") as (process, said):
        _wait_until(lambda: "Ctrl-C" in said.read_text())
        children = descendants(process.pid)

        process.send_signal(number)

        assert process.wait(60) == 0
    assert len(children) >= 3
    assert [pid for pid in children if is_alive(pid)] == []
    assert list(_short(tmp_path).iterdir()) == []


def test_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    with _demo(tmp_path, "--port", "0", "--login-port", "0") as (process, said):
        _wait_until(lambda: "Ctrl-C" in said.read_text())
        children = descendants(process.pid)

        process.kill()
        process.wait(5)

    assert len(children) >= 3
    _wait_until(lambda: not any(map(is_alive, children)))


@pytest.mark.parametrize(("option", "other"), [("--port", "--login-port"), ("--login-port", "--port")])
def test_taken_port_is_named_with_its_owner_and_another_is_used(tmp_path: Path, option: str, other: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with _demo(tmp_path, option, str(port), other, "0") as (_, said):
            _wait_until(lambda: "Ctrl-C" in said.read_text())
            text = said.read_text()

    assert f"port {port} is taken by" in text
    assert f"(process {os.getpid()})" in text


def test_printed_commands_work_as_they_are(tmp_path: Path) -> None:
    with _demo(tmp_path, "--port", str(free_port()), "--login-port", "0") as (_, said):
        _wait_until(lambda: "Ctrl-C" in said.read_text())
        script = "\n".join(line for line in said.read_text().splitlines() if line.startswith("  "))
        result = subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True, timeout=60)

    assert re.findall(r"HTTP/1.1 (\d+)", result.stdout) == ["401", "200", "403"]


def test_every_listening_port_of_the_demo_is_on_loopback(tmp_path: Path) -> None:
    with _demo(tmp_path, "--port", "0", "--login-port", "0") as (process, said):
        _wait_until(lambda: "Ctrl-C" in said.read_text())
        addresses = _listening([process.pid, *descendants(process.pid)])
        home = re.search(r"http://127.0.0.1:\d+/", said.read_text())
        assert home is not None
        assert HttpClient().ask("GET", home[0]).status == 302

    assert addresses <= {"0100007F"}


def _wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """The bound ends a demo that hangs. It is long because other tests, a browser among them, share the processors."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def _listening(pids: list[int]) -> set[str]:
    """The addresses, as /proc/net/tcp writes them, on which these processes listen."""
    sockets: set[str] = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(descriptor.readlink()))
            except OSError:
                continue
    found = []
    for line in (
        Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    ):
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            found.append(fields[1].partition(":"))
    assert len(found) >= 5
    return {address for address, _, _ in found}
