"""Workers under the hand that starts them: stuck ones are seen, late ones are told, none is left behind."""

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
from authz.server.worker_pool import WorkerOptions, WorkerPool
from tests.fakes.sidecar import SECONDS, bootstrap, write_keys

OPTIONS = WorkerOptions("h2", "error", "json", 1.0)


class Fleets:
    """One fleet of one worker, and what it knows of it."""

    def __init__(self, directory: Path) -> None:
        self.exposition = Exposition(Totals(), Reloads())
        self.log = Log("error", "json", io.StringIO())
        self.fleet = WorkerPool((f"unix:{directory}/a.sock",), OPTIONS, self.exposition, self.log)
        self.authz = bootstrap(directory)["node"]["metadata"]["authz"]

    @property
    def pid(self) -> int:
        return self.fleet._processes[0].pid

    def serves(self) -> bool:
        return bool(self.exposition.live.get(0, {}).get("serving"))


def using(use: Callable[[Fleets], Awaitable[None]]) -> None:
    """Run with a fleet in a folder of its own, for a bounded time; afterwards no worker is left."""

    async def run() -> None:
        with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
            write_keys(Path(name))
            fleets = Fleets(Path(name))
            async with asyncio.timeout(3 * SECONDS):
                await use(fleets)
                await fleets.fleet.drain(0.0)
            assert fleets.fleet._processes == {}
            fleets.log.close()

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what changes is in another process
        await asyncio.sleep(0.02)


def test_worker_that_stands_still_is_stuck_until_it_turns_again() -> None:
    async def use(fleets: Fleets) -> None:
        fleets.fleet.start()
        fleets.fleet.configure(fleets.authz, "orders-api")
        await until(fleets.serves)
        assert fleets.fleet.stuck(SECONDS) == []

        os.kill(fleets.pid, signal.SIGSTOP)
        await until(lambda: fleets.fleet.stuck(2.5) == [0])

        os.kill(fleets.pid, signal.SIGCONT)
        await until(lambda: fleets.fleet.stuck(2.5) == [])

    using(use)


def test_worker_that_does_not_end_with_its_drain_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KILL_AFTER_SECONDS", 0.2)

    async def use(fleets: Fleets) -> None:
        fleets.fleet.start()
        fleets.fleet.configure(fleets.authz, "orders-api")
        await until(fleets.serves)
        os.kill(fleets.pid, signal.SIGSTOP)

    using(use)


def test_drain_reaches_a_worker_that_is_still_starting() -> None:
    async def use(fleets: Fleets) -> None:
        fleets.fleet.start()
        fleets.fleet.configure(fleets.authz, "orders-api")
        await until(lambda: fleets.fleet._processes)

    using(use)


def test_drain_before_any_worker_was_started_starts_none() -> None:
    async def use(fleets: Fleets) -> None:
        fleets.fleet.start()

    using(use)


def test_worker_whose_process_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(fleets: Fleets) -> None:
        real, refusals = asyncio.create_subprocess_exec, [OSError("no more processes"), OSError("no more processes")]

        async def create(*arguments: Any, **named: Any) -> asyncio.subprocess.Process:
            if refusals:
                raise refusals.pop()
            return await real(*arguments, **named)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", create)
        fleets.fleet.start()
        fleets.fleet.configure(fleets.authz, "orders-api")
        await until(fleets.serves)

    using(use)
