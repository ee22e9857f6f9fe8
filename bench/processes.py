"""Programs under measurement: started with a log, watched through /proc, and ended by their own process id."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
STOP_SECONDS = 5.0


class DidNotStart(Exception):
    """A program ended, or did not answer, before it was measured. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """One running program, and the process that does its work."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def pids(self) -> tuple[int, ...]:
        """The processes that do the work: a supervisor's children, else the program itself."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return tuple(map(int, children.split())) or (self.process.pid,)

    def cpu_seconds(self) -> float:
        """User and system time of the working processes since they started (proc(5): fields 14 and 15 of stat)."""
        return sum(_stat(pid, 14, 15) for pid in self.pids()) * TICK_SECONDS

    def page_faults(self) -> int:
        """Pages that the kernel has given to the working processes without reading a disk (field 10: minflt)."""
        return sum(_stat(pid, 10) for pid in self.pids())

    def resident_mib(self) -> float:
        """Resident memory of the working processes."""
        return sum(resident_mib(pid) for pid in self.pids())


def _stat(pid: int, *numbers: int) -> int:
    """The sum of some fields of /proc/PID/stat, with their numbers in proc(5)."""
    # The name, field 2, can contain spaces. Field 3 is the first behind it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(fields[number - 3]) for number in numbers)


def resident_mib(pid: int) -> float:
    """Resident memory of one process (proc(5): VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


@contextlib.contextmanager
def program(
    name: str,
    command: Sequence[str],
    folder: Path,
    ready: Sequence[Path | int],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Program]:
    """Run a program as long as the block lasts; entered when it accepts connections on all of `ready`: paths, ports."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=os.environ | dict(environment)
        )
    started = Program(name, process, log)
    try:
        for where in ready:
            until(partial(accepts, where), started)
        yield started
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], started: Program) -> None:
    """Wait for a program that starts. Raises DidNotStart."""
    end = time.monotonic() + START_SECONDS
    while not condition():
        if started.process.poll() is not None or time.monotonic() > end:
            tail = started.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise DidNotStart(f"{started.name} did not start:\n{tail}")
        time.sleep(0.01)


def accepts(where: Path | int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_UNIX if isinstance(where, Path) else socket.AF_INET) as client:
        try:
            client.connect(str(where) if isinstance(where, Path) else ("127.0.0.1", where))
        except OSError:
            return False
    return True


def is_ready(port: int) -> bool:
    """Whether the sidecar with that admin port says that it can verify tokens of every issuer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(json.load(answer)["ready"])
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
