"""The worker pool: it detects stuck workers, configures late ones and leaves no process behind."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.log import Log
from authz.server import worker_pool as module
from authz.server.messages import WorkerOptions
from authz.server.worker_pool import WorkerPool
from tests.fakes.sidecar import SECONDS, bootstrap, write_keys

OPTIONS = WorkerOptions("h2", "error", "json", 1.0)


class RunningPool:
    """A pool of one worker, with its exposition and log."""

    def __init__(self, directory: Path) -> None:
        self.exposition = Exposition(Totals(), Reloads())
        self.log = Log("error", "json", io.StringIO())
        self.pool = WorkerPool((f"unix:{directory}/a.sock",), OPTIONS, self.exposition, self.log)
        self.authz = bootstrap(directory)["node"]["metadata"]["authz"]

    @property
    def pid(self) -> int:
        return self.pool._processes[0].pid

    def serves(self) -> bool:
        status = self.exposition.live.get(0)
        return status is not None and status.serving


def using(use: Callable[[RunningPool], Awaitable[None]]) -> None:
    """Run with a pool in its own directory, for a bounded time. Afterwards no worker is left."""

    async def run() -> None:
        with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
            write_keys(Path(name))
            running = RunningPool(Path(name))
            async with asyncio.timeout(3 * SECONDS):
                await use(running)
                await running.pool.drain(0.0)
            assert running.pool._processes == {}
            running.log.close()

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what changes is in another process
        await asyncio.sleep(0.02)


def test_stopped_worker_is_stuck_until_it_continues() -> None:
    async def use(running: RunningPool) -> None:
        running.pool.start()
        running.pool.configure(running.authz, "orders-api")
        await until(running.serves)
        assert running.pool.stuck(SECONDS) == []

        os.kill(running.pid, signal.SIGSTOP)
        await until(lambda: running.pool.stuck(2.5) == [0])

        os.kill(running.pid, signal.SIGCONT)
        await until(lambda: running.pool.stuck(2.5) == [])

    using(use)


def test_worker_that_does_not_end_with_its_drain_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KILL_AFTER_SECONDS", 0.2)

    async def use(running: RunningPool) -> None:
        running.pool.start()
        running.pool.configure(running.authz, "orders-api")
        await until(running.serves)
        os.kill(running.pid, signal.SIGSTOP)

    using(use)


def test_drain_reaches_a_worker_that_is_still_starting() -> None:
    async def use(running: RunningPool) -> None:
        running.pool.start()
        running.pool.configure(running.authz, "orders-api")
        await until(lambda: running.pool._processes)

    using(use)


def test_drain_before_any_worker_was_started_starts_none() -> None:
    async def use(running: RunningPool) -> None:
        running.pool.start()

    using(use)


def test_worker_whose_process_cannot_be_created_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(running: RunningPool) -> None:
        real, refusals = asyncio.create_subprocess_exec, [OSError("no more processes"), OSError("no more processes")]

        async def create(*arguments: Any, **named: Any) -> asyncio.subprocess.Process:
            if refusals:
                raise refusals.pop()
            return await real(*arguments, **named)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", create)
        running.pool.start()
        running.pool.configure(running.authz, "orders-api")
        await until(running.serves)

    using(use)
