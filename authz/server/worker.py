"""One worker process: a data plane on one address, told what to trust by the supervisor over a socket pair.

The main thread carries calls; a second thread runs what is not a request: key sources, the control channel, the
once-a-second report. The worker reads no YAML unless a route has a policy written in place.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from threading import Event
from typing import Any

from authz.core.configuration import Configuration, compile_configuration
from authz.core.decision import Decision
from authz.core.issuers import Issuer
from authz.observe import tracing
from authz.observe.log import Log
from authz.observe.tally import Tally
from authz.server import engines, wire
from authz.server.address import require_free, socket_mode
from authz.server.check_service import Call, Check, Rules
from authz.server.engine import CannotListen, Engine, Service, Status
from authz.server.keys import Keys
from authz.sources.background import Background
from authz.sources.jwks import JwksSource
from authz.sources.revocations_file import RevocationsFile
from authz.sources.userinfo_source import UserinfoSource

CHECK_METHOD = "/envoy.service.auth.v3.Authorization/Check"
HEALTH_METHOD = "/grpc.health.v1.Health/Check"

UNKNOWN_SERVICE = Status(5, "unknown service")
"""NOT_FOUND: what the health checking protocol answers about a service that is not here."""

REPORT_SECONDS = 1.0
"""How often the supervisor is told the counts. A killed worker takes at most this much counting with it."""

QUIET_SECONDS = 1.0
"""A draining worker that had no check for so long is idle: callers have seen NOT_SERVING and gone elsewhere."""

LAST_CALLS_SECONDS = 1.0
"""What calls in flight get at least when the worker stops: Envoy's deadline for a check."""

LONGEST_TURN_SECONDS = 0.0005
"""How long another thread, which writes the log or reads a key set, may keep the interpreter from a check that came.
Python's own 5 ms would show in the 99th percentile."""

NEW_KEYS_SECONDS = 5.0
"""How long a reload waits for the keys of new issuers before it takes effect without them: one fetch."""

STARTING_REPORT_SECONDS = 0.05
"""The same until it serves, so that readiness shows at once."""

MAX_CONTROL_BYTES = 16 * 1024 * 1024
EXIT_CANNOT_LISTEN = 3


class Worker:
    """Everything one worker is made of."""

    def __init__(self, options: Mapping[str, Any], control: socket.socket) -> None:
        self._address: str = options["address"]
        self._engine_choice: str = options["engine"]
        self._drain_seconds: float = options["drain_seconds"]
        self._control = control
        self._log = Log(options["log_level"], options["log_format"])
        self._trace = tracing.start(lambda problem: self._log.event("warning", "tracing", {"problem": problem}))
        self._background = Background()
        self._tally = Tally()
        self._sources: dict[str, JwksSource] = {}
        self._issuers: dict[str, Issuer] = {}
        self._revocations: RevocationsFile | None = None
        self._userinfo: dict[str, UserinfoSource] = {}
        self._check: Check | None = None
        self._configured: Future[None] = Future()
        self._engine: Engine | None = None
        self._draining = False
        self._stopped = Event()

    def run(self) -> int:
        """Serve until told to stop. Returns the exit code."""
        sys.setswitchinterval(LONGEST_TURN_SECONDS)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C: the supervisor says what to do
        signal.signal(signal.SIGTERM, lambda _signal, _frame: self._drain_later(self._drain_seconds))
        controlling = self._background.submit(self._control_loop())
        try:
            self._configured.result()
            self._serve()
        except CannotListen as problem:
            self._log.event("error", "cannot_listen", {"address": self._address, "problem": str(problem)})
            return EXIT_CANNOT_LISTEN
        finally:
            controlling.cancel()
            for source in self._sources.values():
                source.close()
            if self._revocations is not None:
                self._revocations.close()
            self._background.stop()
            if self._trace is not None:
                self._trace.close()
            self._log.close()
        return 0

    def _serve(self) -> None:
        check = self._check
        if check is None:
            return
        require_free(self._address)
        service = Service({CHECK_METHOD: check, HEALTH_METHOD: self._health}, check.overloaded)
        with socket_mode():
            engine = engines.start(self._engine_choice, self._address, service)
        self._log.event("info", "serving", {"address": self._address, "engine": self._engine_choice})
        self._engine = engine
        if self._stopped.is_set():  # told to end while the engine was being started
            engine.stop(0.0)
        engine.serve()

    def _health(self, message: bytes, _call: Call) -> bytes | Status:
        if not wire.names_service(message):
            return UNKNOWN_SERVICE
        return wire.NOT_SERVING if self._draining else wire.SERVING

    def _observe(self, decision: Decision, seconds: float, call: Call) -> None:
        self._tally.count(decision, seconds)
        self._log.check(decision, seconds, call)
        if decision.comparison is not None:
            self._log.comparison(decision, decision.comparison)
        if self._trace is not None:
            self._trace.span(decision, seconds, call.traceparent())

    async def _control_loop(self) -> None:
        """Do what the supervisor says until it goes away, which ends the worker too."""
        reader, writer = await asyncio.open_connection(sock=self._control, limit=MAX_CONTROL_BYTES)
        reporting = asyncio.create_task(self._report(writer))
        try:
            while line := await reader.readline():
                order = json.loads(line)
                if "configure" in order:
                    await self._configure(**order["configure"])
                elif "drain" in order:
                    self._drain_later(order["drain"])
        except Exception as error:  # noqa: BLE001 - a worker that cannot be told anything must not go on
            self._log.event("error", "worker_failed", {"problem": f"{type(error).__name__}: {error!s:.500}"})
        finally:
            reporting.cancel()
            self._drain_later(0.0)
            if not self._configured.done():
                self._configured.set_result(None)

    async def _configure(self, authz: Mapping[str, Any], realm: str) -> None:
        """Take over a configuration; what did not change of the key sources goes on."""
        configuration = compile_configuration(authz)
        sources = {alias: self._source(issuer) for alias, issuer in configuration.issuers.by_alias.items()}
        fresh = [source for source in sources.values() if source not in self._sources.values()]
        for source in fresh:
            source.start()
        if self._check is not None:
            await _until_loaded(fresh)
        revocations = await self._revocations_of(configuration)
        userinfo = self._userinfo_of(configuration)
        rules = Rules.of(configuration, realm, Keys(sources), revocations, userinfo)
        kept = {*sources.values(), revocations}
        abandoned = {*self._sources.values(), self._revocations} - kept
        self._revocations, self._userinfo = revocations, userinfo
        self._sources, self._issuers = sources, dict(configuration.issuers.by_alias)
        if self._check is None:
            self._check = Check(rules, self._background, self._observe)
            self._configured.set_result(None)
        else:
            self._check.rules = rules
        for gone in abandoned:
            if gone is not None:
                gone.close()

    def _source(self, issuer: Issuer) -> JwksSource:
        before = self._issuers.get(issuer.alias)
        if before is not None and before.keys == issuer.keys and before.algorithms == issuer.algorithms:
            return self._sources[issuer.alias]
        return JwksSource(issuer.alias, issuer.keys, issuer.algorithms, self._background, log=self._log_source)

    async def _revocations_of(self, configuration: Configuration) -> RevocationsFile | None:
        """The revocation list, read; the present one where the file is the same."""
        path, aliases = configuration.revocations_file, frozenset(configuration.issuers.by_alias)
        if not path:
            return None
        if self._revocations is not None and self._revocations.path == path:
            self._revocations.issuers = aliases
            return self._revocations
        revocations = RevocationsFile(path, aliases, self._background, log=self._log_source)
        await revocations.start()
        return revocations

    def _userinfo_of(self, configuration: Configuration) -> dict[str, UserinfoSource]:
        """A source for every issuer whose endpoint is known; the present one where it is the same endpoint."""
        sources = {}
        for alias, issuer in configuration.issuers.by_alias.items():
            before = self._issuers.get(alias)
            if before is not None and before.userinfo == issuer.userinfo and alias in self._userinfo:
                sources[alias] = self._userinfo[alias]
            elif issuer.userinfo is not None:
                sources[alias] = UserinfoSource(alias, issuer.userinfo, self._background, log=self._log_source)
        return sources

    def _log_source(self, event: str, fields: Mapping[str, object]) -> None:
        self._log.event("error" if event.endswith("_failed") else "info", event, fields)

    async def _report(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(json.dumps({"status": self._status()}).encode() + b"\n")
            await writer.drain()
            await asyncio.sleep(REPORT_SECONDS if self._engine is not None else STARTING_REPORT_SECONDS)

    def _status(self) -> dict[str, Any]:
        engine = self._engine
        return {
            **self._tally.snapshot(),
            "engine": self._engine_choice if engine is not None else "",
            "serving": engine is not None and not self._draining,
            "in_flight": engine.in_flight if engine is not None else 0,
            "turns": engine.turns if engine is not None else 0,
            "lines_dropped": self._log.dropped,
            "peer_faults": dict(engine.ended) if engine is not None else {},
            "keys": {alias: _keys(source) for alias, source in self._sources.items()},
            "userinfo": {alias: source.report() for alias, source in self._userinfo.items()},
            "revocations": self._revocations.report() if self._revocations is not None else None,
        }

    def _drain_later(self, seconds: float) -> None:
        if not self._draining:
            self._draining = True
            self._background.submit(self._drain(seconds))

    async def _drain(self, seconds: float) -> None:
        """Be a lame duck: unhealthy for whoever asks, serving until nobody does, then gone."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = self._tally.total
            await asyncio.sleep(min(QUIET_SECONDS, until - time.monotonic()))
            if self._tally.total == before:
                break
        self._stopped.set()
        if self._engine is not None:
            self._engine.stop(max(LAST_CALLS_SECONDS, until - time.monotonic()))


def _keys(source: JwksSource) -> dict[str, Any]:
    """A source's report as plain data."""
    report = asdict(source.report())
    report["fetches"] = {result.value: count for result, count in report["fetches"].items()}
    report["last_result"] = report["last_result"].value if report["last_result"] else None
    return report


async def _until_loaded(sources: list[JwksSource]) -> None:
    """Wait until every source has ended its first fetch, or the time of one is over."""
    fetches = [asyncio.wrap_future(fetch) for source in sources if (fetch := source.ask()) is not None]
    if fetches:
        await asyncio.wait(fetches, timeout=NEW_KEYS_SECONDS)


def main() -> int:
    """`python -m authz.server.worker OPTIONS`: started by the supervisor, never by hand."""
    options = json.loads(sys.argv[1])
    return Worker(options, socket.socket(fileno=options["control_fd"])).run()


if __name__ == "__main__":
    sys.exit(main())
