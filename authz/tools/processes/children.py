"""Child processes: started one by one, ended together, in the opposite order.

Each child is ended by its own id. On Linux the kernel ends it as well if this process is killed.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from authz.tools.processes.machine import CannotRunError

STOP_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL. An idle child needs less."""

_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Child:
    """One started process and its output file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 15) -> str:
        """The last lines of its output, for an error message."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def check(self) -> None:
        """Raises CannotRunError if it has exited by itself."""
        code = self.process.poll()
        if code is not None:
            raise CannotRunError(f"{self.name} ended with exit code {code}. Its last lines:\n{self.tail()}")

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL if it is still running after the timeout."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Children:
    """A `with` block: whatever was started inside it has ended after it."""

    def __init__(self, directory: Path) -> None:
        """Logs go to `directory`, one file per child."""
        self._directory = directory
        self._started: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not leave a child behind.
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self._started:
                self._started.pop().stop()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, output: Path | None = None
    ) -> Child:
        """Start a process. Standard error goes to its log; standard output too, or to `output`."""
        log = self._directory / f"{name}.log"
        with log.open("wb") as errors, (output or log).open("ab") as lines:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=errors,
                env=dict(environment),
                # Ctrl-C in a terminal is for us: the children are ended one after the other.
                process_group=0,
            )
        child = Child(name, process, log)
        self._started.append(child)
        return child

    def check(self) -> None:
        """Raises CannotRunError if a child has exited by itself."""
        for child in self._started:
            child.check()

    def wait_until_ready(self, child: Child, url: str, seconds: float = 30.0) -> None:
        """Wait until this loopback URL answers 200. Raises CannotRunError otherwise."""
        deadline = time.monotonic() + seconds
        while not _answers_ok(url):
            child.check()
            if time.monotonic() > deadline:
                raise CannotRunError(
                    f"{child.name} is not ready after {seconds:.0f} s. Its last lines:\n{child.tail()}"
                )
            time.sleep(0.02)


def child_environment(**settings: str) -> dict[str, str]:
    """The environment of this process and these settings, without what would redirect programs to other places."""
    redirecting = ("AWS_", "AUTHZ_", "MINISTACK_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(redirecting) and not name.lower().endswith("_proxy")
    }
    return kept | settings


def _answers_ok(url: str) -> bool:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=1)
    try:
        connection.request("GET", place.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
