"""Children end with their block, however it ends and whatever they do about it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from authz.tools.processes import children as processes
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import CannotRunError, free_port
from tests.fakes.waiting import until

_ROOT = Path(__file__).parents[2]

_SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
_STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)",
]


def _start(children: Children, command: list[str]) -> Child:
    child = children.start("child", command, os.environ)
    deadline = time.monotonic() + 10
    while "here" not in child.tail():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return child


def test_children_have_ended_after_the_block(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = _start(children, _SLEEP)

    assert child.process.returncode is not None


def test_children_have_ended_after_an_error_in_the_block(tmp_path: Path) -> None:
    started = []

    def fail_with_a_child() -> None:
        with Children(tmp_path) as children:
            started.append(_start(children, _SLEEP))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail_with_a_child()

    assert started[0].process.returncode is not None


def test_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    with Children(tmp_path) as children:
        child = _start(children, _STUBBORN)

    assert child.process.returncode == -9


def test_child_that_ends_while_it_is_waited_for_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("short", [sys.executable, "-c", "raise SystemExit('no such luck')"], os.environ)

        with pytest.raises(CannotRunError, match=r"(?s)short ended with exit code 1.*no such luck"):
            children.wait_until_ready(child, f"http://127.0.0.1:{free_port()}/")


def test_child_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = _start(children, _SLEEP)

        with pytest.raises(CannotRunError, match="child is not ready after 0 s"):
            children.wait_until_ready(child, f"http://127.0.0.1:{free_port()}/", seconds=0.1)


def test_child_never_runs_what_a_library_does_after_a_fork(tmp_path: Path) -> None:
    """gRPC's part of that aborts now and then, and the child with it."""
    script = (
        "import os, pathlib, sys\n"
        "from authz.tools.processes.children import Children\n"
        "os.register_at_fork(after_in_child=os.abort)\n"
        "with Children(pathlib.Path(sys.argv[1])) as children:\n"
        "    sys.exit(children.start('child', ['true'], os.environ).process.wait())\n"
    )

    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=30, cwd=_ROOT)

    assert result.returncode == 0


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys, time\n"
        "from authz.tools.processes.children import Children\n"
        "with Children(pathlib.Path(sys.argv[1])) as children:\n"
        "    print(children.start('child', ['sleep', '60'], os.environ).process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=_ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: "sleep" in Path(f"/proc/{child}/comm").read_text(), 10.0)

        parent.kill()

    until(lambda: not _runs(child), 10.0)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_settings_that_lead_elsewhere_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AUTHZ_LISTEN", "https_proxy", "HTTP_PROXY", "MINISTACK_HOST"):
        monkeypatch.setenv(name, "elsewhere")

    environment = child_environment(TMPDIR="/here")

    assert "elsewhere" not in environment.values()
    assert environment["TMPDIR"] == "/here"
    assert environment["PATH"] == os.environ["PATH"]
