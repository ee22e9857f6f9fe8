"""The worker processes: one per address, started, told, watched, started again, drained.

This process never loads grpc. A worker that ends without being asked to is started anew, at once the first time and
with a growing pause after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.observe.exposition import Exposition
from authz.observe.log import Log

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STABLE_SECONDS = 30.0
"""A worker that lived so long is not crashing in a circle: the pause starts over."""

KILL_AFTER_SECONDS = 5.0
"""What a worker gets beyond its drain before it is killed."""

MAX_STATUS_BYTES = 16 * 1024 * 1024
EXIT_CANNOT_LISTEN = 3
EXIT_NOT_STARTED = 71
"""For a worker whose process could not be made: EX_OSERR of sysexits.h."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What every worker is started with."""

    engine: str
    log_level: str
    log_format: str
    drain_seconds: float
    """What a worker takes on a SIGTERM of its own."""


class WorkerPool:
    """Workers on their addresses."""

    def __init__(self, addresses: tuple[str, ...], options: WorkerOptions, exposition: Exposition, log: Log) -> None:
        self.addresses = addresses
        self._options = options
        self._exposition = exposition
        self._log = log
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._supervisors: list[asyncio.Task[None]] = []
        self._order: Mapping[str, Any] | None = None
        self._drain_order: Mapping[str, Any] | None = None
        self._drained = asyncio.Event()
        self._turned: dict[int, tuple[int, float]] = {}
        self.cannot_listen = asyncio.Event()
        """Set where a worker found its address taken at its very first start."""

    def start(self) -> None:
        """Start a worker on every address."""
        self._supervisors = [asyncio.create_task(self._supervise(slot)) for slot in range(len(self.addresses))]

    def configure(self, authz: Mapping[str, Any], realm: str) -> None:
        """Give every worker, and every later one, this configuration."""
        self._order = {"configure": {"authz": authz, "realm": realm}}
        for writer in self._writers.values():
            _send(writer, self._order)

    async def drain(self, seconds: float) -> None:
        """Have every worker serve until it is idle or the time is over, then end them all."""
        self._drain_order = {"drain": seconds}
        self._drained.set()
        for writer in self._writers.values():
            _send(writer, self._drain_order)
        if self._supervisors:
            await asyncio.wait(self._supervisors, timeout=seconds + KILL_AFTER_SECONDS)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._supervisors, return_exceptions=True)

    def stuck(self, patience_seconds: float) -> list[int]:
        """Slots whose engine has not turned for so long, as far as their reports tell."""
        now = time.monotonic()
        return [slot for slot, (_turns, since) in self._turned.items() if now - since > patience_seconds]

    async def _supervise(self, slot: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._drained.is_set():
            started = time.monotonic()
            code = await self._run(slot)
            self._exposition.retire(slot)
            self._turned.pop(slot, None)
            if self._drained.is_set():
                return
            lived = time.monotonic() - started
            if code == EXIT_CANNOT_LISTEN and lived < STABLE_SECONDS:
                self.cannot_listen.set()
            self._log.event("error", "worker_ended", {"address": self.addresses[slot], "exit_code": code})
            pause = FIRST_PAUSE_SECONDS if lived > STABLE_SECONDS else pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run(self, slot: int) -> int:
        """One worker from start to end. Returns its exit code."""
        ours, theirs = socket.socketpair()
        try:
            process = await self._spawn(slot, theirs)
        except OSError as error:
            ours.close()
            self._log.event("error", "worker_not_started", {"address": self.addresses[slot], "problem": str(error)})
            return EXIT_NOT_STARTED
        return await self._follow(slot, process, ours)

    async def _spawn(self, slot: int, theirs: socket.socket) -> asyncio.subprocess.Process:
        """Start a worker's process with its end of the control channel. Raises OSError."""
        with theirs:
            options = {"address": self.addresses[slot], "control_fd": theirs.fileno()}
            options |= {name: getattr(self._options, name) for name in WorkerOptions.__dataclass_fields__}
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "authz.server.worker",
                json.dumps(options),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ,
            )

    async def _follow(self, slot: int, process: asyncio.subprocess.Process, ours: socket.socket) -> int:
        """Tell a worker what to do and take its reports until it ends. Returns its exit code."""
        self._processes[slot] = process
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_STATUS_BYTES)
        self._writers[slot] = writer
        for order in (self._order, self._drain_order):
            if order is not None:
                _send(writer, order)
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    self._record_status(slot, json.loads(line)["status"])
            return await process.wait()
        finally:
            self._writers.pop(slot, None)
            self._processes.pop(slot, None)
            writer.close()

    def _record_status(self, slot: int, status: Mapping[str, Any]) -> None:
        self._exposition.live[slot] = status
        turns, _since = self._turned.get(slot, (-1, 0.0))
        if status["turns"] != turns:
            self._turned[slot] = (status["turns"], time.monotonic())


def _send(writer: asyncio.StreamWriter, order: Mapping[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(json.dumps(order).encode() + b"\n")
