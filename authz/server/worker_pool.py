"""Starts one worker process per address, configures it, records its status, restarts it and drains it.

This process never loads grpc, because a process that has loaded grpc must not fork. A worker that ends by itself is
restarted: after a short pause the first time, then after longer ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

from authz import exit_codes
from authz.observe.exposition import Exposition
from authz.observe.log import Log
from authz.observe.worker_status import WorkerStatus
from authz.server.messages import (
    MAX_CONTROL_LINE_BYTES,
    Configure,
    Drain,
    Message,
    WorkerOptions,
    WorkerStart,
    decode,
    encode,
)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STABLE_SECONDS = 30.0
"""A worker that ran this long is not in a crash loop: the next pause is FIRST_PAUSE_SECONDS again."""

KILL_AFTER_SECONDS = 5.0
"""How long after its drain time a worker is killed."""


class WorkerPool:
    """The workers, by slot: the index of their address."""

    def __init__(self, addresses: tuple[str, ...], options: WorkerOptions, exposition: Exposition, log: Log) -> None:
        self.addresses = addresses
        self._options = options
        self._exposition = exposition
        self._log = log
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._supervisors: list[asyncio.Task[None]] = []
        self._configure: Configure | None = None
        self._drain: Drain | None = None
        self._drained = asyncio.Event()
        self._turned: dict[int, tuple[int, float]] = {}
        self.cannot_listen = asyncio.Event()
        """Set if a worker could not bind its address shortly after it was started."""

    def start(self) -> None:
        """Start a worker on every address."""
        self._supervisors = [asyncio.create_task(self._supervise(slot)) for slot in range(len(self.addresses))]

    def configure(self, authz: Mapping[str, Any], realm: str) -> None:
        """Send this configuration to every worker, now and when it starts."""
        self._configure = Configure(authz, realm)
        for writer in self._writers.values():
            _send(writer, self._configure)

    async def drain(self, seconds: float) -> None:
        """Let every worker serve until it is idle or the time is over, then stop them all."""
        self._drain = Drain(seconds)
        self._drained.set()
        for writer in self._writers.values():
            _send(writer, self._drain)
        if self._supervisors:
            await asyncio.wait(self._supervisors, timeout=seconds + KILL_AFTER_SECONDS)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._supervisors, return_exceptions=True)

    def stuck(self, patience_seconds: float) -> list[int]:
        """Return the slots whose engine loop has not advanced for this time, according to their status."""
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
            if code == exit_codes.CANNOT_LISTEN and lived < STABLE_SECONDS:
                self.cannot_listen.set()
            self._log.event("error", "worker_ended", {"address": self.addresses[slot], "exit_code": code})
            pause = FIRST_PAUSE_SECONDS if lived > STABLE_SECONDS else pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run(self, slot: int) -> int:
        """Run one worker process from start to end. Return its exit code."""
        ours, theirs = socket.socketpair()
        try:
            process = await self._spawn(slot, theirs)
        except OSError as error:
            ours.close()
            self._log.event("error", "worker_not_started", {"address": self.addresses[slot], "problem": str(error)})
            return exit_codes.NOT_STARTED
        return await self._follow(slot, process, ours)

    async def _spawn(self, slot: int, theirs: socket.socket) -> asyncio.subprocess.Process:
        """Start a worker process with its end of the control channel. Raises OSError."""
        with theirs:
            start = WorkerStart(self.addresses[slot], theirs.fileno(), self._options)
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "authz.server.worker",
                encode(start).decode(),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ,
            )

    async def _follow(self, slot: int, process: asyncio.subprocess.Process, ours: socket.socket) -> int:
        """Configure a worker and record its status messages until it ends. Return its exit code."""
        self._processes[slot] = process
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_CONTROL_LINE_BYTES)
        self._writers[slot] = writer
        for order in (self._configure, self._drain):
            if order is not None:
                _send(writer, order)
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    message = decode(line)
                    if isinstance(message, WorkerStatus):
                        self._record_status(slot, message)
            return await process.wait()
        finally:
            self._writers.pop(slot, None)
            self._processes.pop(slot, None)
            writer.close()

    def _record_status(self, slot: int, status: WorkerStatus) -> None:
        self._exposition.live[slot] = status
        turns, _since = self._turned.get(slot, (-1, 0.0))
        if status.turns != turns:
            self._turned[slot] = (status.turns, time.monotonic())


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(encode(message))
