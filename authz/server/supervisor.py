"""The process behind `authz serve`: it reads the configuration, runs the workers, and serves the admin port.

It makes no decision about requests and never loads grpc. Signal handlers only set an event; the asyncio loop here acts
on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from authz import exit_codes
from authz.core.key_numbers import numbered
from authz.core.problems import ConfigurationError
from authz.envoy.settings import Settings, read_settings
from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.labels import possible_api_refusals, possible_checks, possible_comparisons
from authz.observe.log import Log
from authz.observe.process_metrics import ProcessMetrics
from authz.server import named_files
from authz.server.address import parse_tcp, require_free
from authz.server.admin import Admin, Page, json_page
from authz.server.engine import CannotListen
from authz.server.messages import WorkerOptions
from authz.server.unused_proxy import FIX, in_words, unused_proxy
from authz.server.worker_pool import WorkerPool
from authz.sources.source_status import KeyStatus

WATCH_SECONDS = 1.0
"""Interval of reading the file. Polling also notices the symlink swap of a ConfigMap, which file events miss."""

RETRY_SECONDS = 10.0
"""Interval of retrying a failed reload. A named file can arrive after the configuration, in another volume."""

STUCK_SECONDS = 10.0
"""A worker whose loop has not advanced for this time is stuck. `/livez` then fails, and Kubernetes restarts it."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `authz serve`."""

    file: Path
    listen: tuple[str, ...]
    """Empty if the endpoints of the file's ext_authz cluster are the addresses."""
    admin: str
    """`HOST:PORT`, empty for none."""
    admin_hosts: tuple[str, ...]
    """Names that requests to the admin port may have in `Host`."""
    drain_seconds: float
    worker: WorkerOptions


class Supervisor:
    """The configuration in force, the worker pool and the admin pages."""

    def __init__(self, options: ServeOptions, settings: Settings, log: Log) -> None:
        self._options = options
        self._settings = settings
        self._log = log
        self._reloads = Reloads()
        self._exposition = Exposition(Totals(), self._reloads)
        self._pool = WorkerPool(options.listen or settings.endpoints, options.worker, self._exposition, log)
        self._registry = CollectorRegistry()
        self._registry.register(self._exposition)
        self._registry.register(ProcessMetrics(self._pool.process_ids))
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._retry_at = float("inf")

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT. Return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        pages = {"/metrics": self._metrics, "/livez": self._livez, "/readyz": self._readyz, "/keys": self._keys}
        admin = Admin(pages, self._options.admin_hosts)
        if self._options.admin and not await self._start_admin(admin):
            return exit_codes.CANNOT_LISTEN
        try:
            self._pool.start()
        except CannotListen as problem:
            self._log.event("error", "cannot_listen", {"problem": str(problem)})
            return exit_codes.CANNOT_LISTEN
        self._apply(self._settings)
        self._warn_of_unused_proxy()
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
        return exit_codes.OK if self._stop.is_set() else exit_codes.CANNOT_LISTEN

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

    def _apply(self, settings: Settings) -> None:
        """Put a configuration into force."""
        self._settings = settings
        self._reloads.results["success"] += 1
        self._reloads.last_success_seconds = time.time()
        known = (settings.configuration, settings.inline_policies)
        self._reloads.labels = tuple(possible_checks(*known))
        self._reloads.candidates = tuple(possible_comparisons(*known))
        self._reloads.api_refusals = tuple(possible_api_refusals(*known))
        for problem in settings.warnings:
            self._log.event("error", "policy_invalid", {"problem": str(problem)})
        self._pool.configure(settings.authz, settings.realm)

    def _warn_of_unused_proxy(self) -> None:
        """Say once that fetches go around the proxy of the environment: behind it, they usually fail."""
        settings = self._settings
        if name := unused_proxy(settings.authz, settings.configuration, os.environ):
            fields = {"variable": name, "problem": in_words(name), "fix": FIX}
            self._log.event("warning", "proxy_not_used", fields)

    async def _watch(self) -> None:
        """Reload after SIGHUP or a change of the file."""
        seen = self._settings.text.encode()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reload.wait(), WATCH_SECONDS)
            forced = self._reload.is_set()
            self._reload.clear()
            content = await asyncio.to_thread(_read, self._options.file)
            is_due = time.monotonic() >= self._retry_at
            if forced or is_due or (content is not None and content != seen):
                seen = content if content is not None else seen
                await self._reread(content, is_retry=is_due)

    async def _reread(self, content: bytes | None, *, is_retry: bool = False) -> None:
        """Put the file's content into force. If it is invalid, log the problems and keep the current configuration."""
        self._retry_at = float("inf")
        try:
            settings = await asyncio.to_thread(self._settings_of, content)
        except Exception as error:  # noqa: BLE001 - an unexpected error must not end the watch: the next change may fix the file
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if is_retry:  # already logged and counted
                return
            self._reloads.results["failure"] += 1
            self._log.event("error", "reload_failed", {"problems": _problems(self._options.file, error)})
            return
        if not self._options.listen and settings.endpoints != self._pool.addresses:
            fields = {"serving": self._pool.addresses, "written": settings.endpoints}
            self._log.event("warning", "endpoints_need_a_restart", fields)
        self._apply(settings)
        self._log.event("info", "reloaded", {"file": str(self._options.file)})

    def _settings_of(self, content: bytes | None) -> Settings:
        text = content.decode("utf-8") if content is not None else self._options.file.read_text(encoding="utf-8")
        need_endpoints = not self._options.listen
        return read_settings(
            text, str(self._options.file), need_endpoints=need_endpoints, check_files=named_files.check
        )

    def _metrics(self) -> Page:
        return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def _livez(self) -> Page:
        stuck = [self._pool.addresses[slot] for slot in self._pool.stuck(STUCK_SECONDS)]
        return json_page(503 if stuck else 200, {"live": not stuck, "stuck": stuck})

    def _readyz(self) -> Page:
        """Report whether every worker can verify tokens of every issuer now."""
        live, addresses = self._exposition.live, self._pool.addresses
        silent = [address for slot, address in enumerate(addresses) if slot not in live or not live[slot].serving]
        without = sorted(
            alias
            for alias in self._settings.configuration.issuers.by_alias
            if any(alias not in status.keys or not status.keys[alias].keys for status in live.values())
        )
        unread = [
            addresses[slot]
            for slot, status in live.items()
            if slot < len(addresses)
            if status.revocations is not None and not status.revocations.read
        ]
        ready = not silent and not without and not unread and not self._stop.is_set()
        missing = {"not_serving": silent, "without_keys": without, "without_revocations": unread}
        return json_page(200 if ready else 503, {"ready": ready, **missing})

    def _keys(self) -> Page:
        live = self._exposition.live.values()
        aliases = sorted(self._settings.configuration.issuers.by_alias)
        issuers = [_issuer_keys(alias, [each.keys[alias] for each in live if alias in each.keys]) for alias in aliases]
        return json_page(200, {"workers": len(live), "issuers": issuers})


def _issuer_keys(alias: str, statuses: list[KeyStatus]) -> dict[str, Any]:
    """One issuer's keys over all workers, as `/keys` shows them. Each key has the number of workers that use it."""
    keys: dict[tuple[str, int], dict[str, Any]] = {}
    for status in statuses:
        for place, key in zip(numbered(key.kid for key in status.keys), status.keys, strict=True):
            entry = keys.setdefault(place, {**asdict(key), "workers": 0})
            entry["workers"] += 1
            entry["first_seen"] = max(entry["first_seen"], key.first_seen)
    refreshed = [status.last_success for status in statuses if status.last_success is not None]
    return {
        "alias": alias,
        "keys": list(keys.values()),
        "dropped": [asdict(dropped) for dropped in statuses[0].dropped] if statuses else [],
        "last_refresh": min(refreshed) if refreshed and len(refreshed) == len(statuses) else None,
        "last_result": statuses[0].last_result if statuses else None,
    }


def _read(file: Path) -> bytes | None:
    """Return the file's content, or None if it cannot be read. An editor can replace the file at this very moment."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _problems(file: Path, error: Exception) -> list[str]:
    if isinstance(error, ConfigurationError):
        return [str(problem) for problem in error.problems]
    return [f"{file}: {type(error).__name__}: {error}"]


def serve(options: ServeOptions, settings: Settings, log: Log) -> int:
    """Run the supervisor until it stops. Return the exit code."""

    async def _run() -> int:
        return await Supervisor(options, settings, log).run()

    return asyncio.run(_run())
