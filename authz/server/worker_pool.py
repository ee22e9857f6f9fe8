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
from dataclasses import dataclass, field
from typing import Any

from authz import exit_codes
from authz.observe.exposition import Exposition
from authz.observe.log import Log
from authz.observe.worker_status import WorkerStatus
from authz.server.engine import CannotListen
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
from authz.server.owned_sockets import OwnedSockets

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STABLE_SECONDS = 30.0
"""A worker that ran this long is not in a crash loop: the next pause is FIRST_PAUSE_SECONDS again."""

KILL_AFTER_SECONDS = 5.0
"""How long after its drain time a worker is killed."""


@dataclass(slots=True)
class _RunningWorker:
    """One worker process."""

    slot: int
    number: int
    """Its slot while it is the slot's worker, afterwards a number of its own."""
    has_served: bool = False
    leaves: asyncio.Event = field(default_factory=asyncio.Event)


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
        self._next_number = len(addresses)
        self._leaving: set[asyncio.Task[int]] = set()
        self._sockets = OwnedSockets(addresses, options.engine)
        self._configure: Configure | None = None
        self._drain: Drain | None = None
        self._drained = asyncio.Event()
        self._turned: dict[int, tuple[int, float]] = {}
        self.cannot_listen = asyncio.Event()
        """Set if a worker could not bind its address shortly after it was started."""

    def start(self) -> None:
        """Lock the addresses and start a worker on each. Raises CannotListen."""
        try:
            self._sockets.lock()
            for slot in range(len(self.addresses)):
                self._sockets.socket(slot)
        except CannotListen:
            self._sockets.release()
            raise
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
        self._sockets.stop_listening()
        for writer in self._writers.values():
            _send(writer, self._drain)
        if self._supervisors:
            await asyncio.wait({*self._supervisors, *self._leaving}, timeout=seconds + KILL_AFTER_SECONDS)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._supervisors, *self._leaving, return_exceptions=True)
        self._sockets.release()

    def process_ids(self) -> dict[int, int]:
        """Return the process id of each running worker by its number: its slot, or a later number if it leaves."""
        return {number: process.pid for number, process in self._processes.items() if process.returncode is None}

    def stuck(self, patience_seconds: float) -> list[int]:
        """Return the slots whose engine loop has not advanced for this time, according to their status."""
        now = time.monotonic()
        return [slot for slot, (_turns, since) in self._turned.items() if now - since > patience_seconds]

    async def _supervise(self, slot: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._drained.is_set():
            started = time.monotonic()
            code = await self._run(slot)
            if code is None:
                continue
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

    async def _run(self, slot: int) -> int | None:
        """Run one worker process. Return its exit code when it ends, or None when it leaves.

        A worker that leaves (SIGTERM, or a lost socket) still serves. Its successor starts meanwhile.
        """
        ours, theirs = socket.socketpair()
        try:
            process = await self._spawn(slot, theirs)
        except (OSError, CannotListen) as error:
            ours.close()
            self._log.event("error", "worker_not_started", {"address": self.addresses[slot], "problem": str(error)})
            return exit_codes.CANNOT_LISTEN if isinstance(error, CannotListen) else exit_codes.NOT_STARTED
        worker = _RunningWorker(slot, slot)
        following = asyncio.create_task(self._follow(worker, process, ours))
        leaving = asyncio.create_task(worker.leaves.wait())
        await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if following.done():
            return following.result()
        self._leave(worker, following)
        return None

    def _leave(self, worker: _RunningWorker, following: asyncio.Task[int]) -> None:
        """Give the slot to a successor. The worker keeps another number until it ends."""
        before, worker.number = worker.number, self._next_number
        self._next_number += 1
        numbered: tuple[dict[int, Any], ...] = (self._processes, self._writers, self._exposition.live)
        for table in numbered:
            if before in table:
                table[worker.number] = table.pop(before)
        self._turned.pop(before, None)
        self._leaving.add(following)

        def ended(task: asyncio.Task[int]) -> None:
            self._leaving.discard(task)
            self._exposition.retire(worker.number)
            code = None if task.cancelled() or task.exception() else task.result()
            fields = {"address": self.addresses[worker.slot], "exit_code": code}
            self._log.event("info" if code == exit_codes.OK else "error", "worker_ended", fields)

        following.add_done_callback(ended)

    async def _spawn(self, slot: int, theirs: socket.socket) -> asyncio.subprocess.Process:
        """Start a worker process with its end of the control channel. Raises OSError and CannotListen."""
        with theirs:
            inherited = self._sockets.socket(slot)
            listen_fd = inherited.socket.fileno() if inherited else -1
            start = WorkerStart(
                self.addresses[slot], theirs.fileno(), listen_fd, inherited.inode if inherited else 0, self._options
            )
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "authz.server.worker",
                encode(start).decode(),
                pass_fds=(theirs.fileno(), *((listen_fd,) if inherited else ())),
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ,
            )

    async def _follow(self, worker: _RunningWorker, process: asyncio.subprocess.Process, ours: socket.socket) -> int:
        """Configure a worker and record its status messages until it ends. Return its exit code."""
        self._processes[worker.number] = process
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_CONTROL_LINE_BYTES)
        self._writers[worker.number] = writer
        for order in (self._configure, self._drain):
            if order is not None:
                _send(writer, order)
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    message = decode(line)
                    if isinstance(message, WorkerStatus):
                        self._record_status(worker, message)
            return await process.wait()
        finally:
            self._writers.pop(worker.number, None)
            self._processes.pop(worker.number, None)
            writer.close()

    def _record_status(self, worker: _RunningWorker, status: WorkerStatus) -> None:
        self._exposition.live[worker.number] = status
        # A successor that binds its own socket has to wait until the path is free.
        if self._sockets.are_inherited and worker.has_served and not status.serving and not self._drained.is_set():
            worker.leaves.set()
        worker.has_served = worker.has_served or status.serving
        if worker.number != worker.slot:
            return
        turns, _since = self._turned.get(worker.slot, (-1, 0.0))
        if status.turns != turns:
            self._turned[worker.slot] = (status.turns, time.monotonic())


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(encode(message))
