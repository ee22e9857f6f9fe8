"""The process that people start: it reads the configuration, keeps the workers, and answers on the admin port.

It decides nothing about requests and never loads grpc. Signals only set a flag; the one loop here acts on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from authz.core.problems import ConfigurationError
from authz.envoy.settings import Settings, read_settings
from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.labels import possible_api_refusals, possible_checks, possible_comparisons
from authz.observe.log import Log
from authz.server.address import parse_tcp, require_free
from authz.server.admin import Admin, Page, json_page
from authz.server.engine import CannotListen
from authz.server.worker_pool import WorkerOptions, WorkerPool

WATCH_SECONDS = 1.0
"""How often the file is looked at. Looking also sees a ConfigMap's symlink swap, which file events miss."""

STUCK_SECONDS = 10.0
"""A worker whose loop has not turned for so long is stuck: `/livez` says so, and Kubernetes starts the pod anew."""

EXIT_OK, EXIT_MISTAKE, EXIT_CANNOT_LISTEN = 0, 2, 3


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says about the process."""

    file: Path
    listen: tuple[str, ...]
    """Empty where the ext_authz cluster of the file says where to listen."""
    admin: str
    """`HOST:PORT`, empty for none."""
    drain_seconds: float
    worker: WorkerOptions


class Supervisor:
    """Everything that runs beside the workers."""

    def __init__(self, options: ServeOptions, settings: Settings, log: Log) -> None:
        self._options = options
        self._settings = settings
        self._log = log
        self._reloads = Reloads()
        self._exposition = Exposition(Totals(), self._reloads)
        self._pool = WorkerPool(options.listen or settings.endpoints, options.worker, self._exposition, log)
        self._registry = CollectorRegistry()
        self._registry.register(self._exposition)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> int:
        """Serve until a signal says stop. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        admin = Admin({"/metrics": self._metrics, "/livez": self._livez, "/readyz": self._readyz, "/keys": self._keys})
        if self._options.admin and not await self._start_admin(admin):
            return EXIT_CANNOT_LISTEN
        self._pool.start()
        self._take(self._settings)
        watching = asyncio.create_task(self._watch())
        code = await self._until_stopped()
        watching.cancel()
        self._log.event("info", "draining", {"seconds": self._options.drain_seconds})
        await self._pool.drain(self._options.drain_seconds)
        admin.close()
        return code

    async def _until_stopped(self) -> int:
        waiting = [asyncio.create_task(self._stop.wait()), asyncio.create_task(self._pool.cannot_listen.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        return EXIT_OK if self._stop.is_set() else EXIT_CANNOT_LISTEN

    async def _start_admin(self, admin: Admin) -> bool:
        host, port = parse_tcp(self._options.admin) or ("", 0)
        try:
            require_free(self._options.admin)
            bound = await admin.start(host, port)
        except (CannotListen, OSError) as error:
            self._log.event("error", "cannot_listen", {"address": self._options.admin, "problem": str(error)})
            return False
        self._log.event("info", "admin_serving", {"address": f"{host}:{bound}"})
        return True

    def _take(self, settings: Settings) -> None:
        """Put a configuration into force."""
        self._settings = settings
        self._reloads.results["success"] += 1
        self._reloads.last_success_seconds = time.time()
        known = (settings.configuration, settings.inline_policies)
        self._reloads.labels = tuple(possible_checks(*known))
        self._reloads.candidates = tuple(possible_comparisons(*known))
        self._reloads.api_refusals = tuple(possible_api_refusals(*known))
        for finding in settings.warnings:
            self._log.event("error", "policy_invalid", {"problem": str(finding)})
        self._pool.configure(settings.authz, settings.realm)

    async def _watch(self) -> None:
        """Notice a changed file, or SIGHUP, and take the new configuration if it is good."""
        seen = self._settings.text.encode()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reload.wait(), WATCH_SECONDS)
            forced = self._reload.is_set()
            self._reload.clear()
            content = await asyncio.to_thread(_read, self._options.file)
            if forced or (content is not None and content != seen):
                seen = content if content is not None else seen
                await self._reread(content)

    async def _reread(self, content: bytes | None) -> None:
        """Take the file's content into force, or say what is wrong with it and leave everything as it is."""
        try:
            settings = await asyncio.to_thread(self._settings_of, content)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the next change must be seen
            self._reloads.results["failure"] += 1
            self._log.event("error", "reload_failed", {"problems": _problems(self._options.file, error)})
            return
        if not self._options.listen and settings.endpoints != self._pool.addresses:
            fields = {"serving": self._pool.addresses, "written": settings.endpoints}
            self._log.event("warning", "endpoints_need_a_restart", fields)
        self._take(settings)
        self._log.event("info", "reloaded", {"file": str(self._options.file)})

    def _settings_of(self, content: bytes | None) -> Settings:
        text = content.decode("utf-8") if content is not None else self._options.file.read_text(encoding="utf-8")
        need_endpoints = not self._options.listen
        return read_settings(text, str(self._options.file), need_endpoints=need_endpoints, need_files=True)

    def _metrics(self) -> Page:
        return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def _livez(self) -> Page:
        stuck = [self._pool.addresses[slot] for slot in self._pool.stuck(STUCK_SECONDS)]
        return json_page(503 if stuck else 200, {"live": not stuck, "stuck": stuck})

    def _readyz(self) -> Page:
        """Whether every worker can verify tokens of every issuer now."""
        live = self._exposition.live
        silent = [
            address
            for slot, address in enumerate(self._pool.addresses)
            if slot not in live or not live[slot]["serving"]
        ]
        without = sorted(
            alias
            for alias in self._settings.configuration.issuers.by_alias
            if any(not status["keys"].get(alias, {}).get("keys") for status in live.values())
        )
        unread = [
            self._pool.addresses[slot]
            for slot, status in live.items()
            if status["revocations"] is not None and not status["revocations"]["read"]
        ]
        ready = not silent and not without and not unread and not self._stop.is_set()
        missing = {"not_serving": silent, "without_keys": without, "without_revocations": unread}
        return json_page(200 if ready else 503, {"ready": ready, **missing})

    def _keys(self) -> Page:
        statuses = list(self._exposition.live.values())
        aliases = sorted(self._settings.configuration.issuers.by_alias)
        return json_page(
            200, {"workers": len(statuses), "issuers": [_issuer_keys(alias, statuses) for alias in aliases]}
        )


def _issuer_keys(alias: str, statuses: list[Mapping[str, Any]]) -> dict[str, Any]:
    """One issuer's keys over all workers; each key says how many of them have it."""
    reports = [status["keys"][alias] for status in statuses if alias in status["keys"]]
    keys: dict[str, dict[str, Any]] = {}
    for report in reports:
        for key in report["keys"]:
            entry = keys.setdefault(key["kid"], {**key, "workers": 0})
            entry["workers"] += 1
            entry["first_seen"] = max(entry["first_seen"], key["first_seen"])
    refreshed = [report["last_success"] for report in reports]
    return {
        "alias": alias,
        "keys": list(keys.values()),
        "dropped": reports[0]["dropped"] if reports else [],
        "last_refresh": min(refreshed) if refreshed and None not in refreshed else None,
        "last_result": reports[0]["last_result"] if reports else None,
    }


def _read(file: Path) -> bytes | None:
    """The file's content; None while it cannot be read, which is no change."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _problems(file: Path, error: Exception) -> list[str]:
    if isinstance(error, ConfigurationError):
        return [str(finding) for finding in error.problems]
    return [f"{file}: {type(error).__name__}: {error}"]


def serve(options: ServeOptions, settings: Settings, log: Log) -> int:
    """Run the supervisor to its end. Returns the exit code."""

    async def _run() -> int:
        return await Supervisor(options, settings, log).run()

    return asyncio.run(_run())
