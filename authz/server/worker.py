"""One worker process: an engine on one address. The supervisor sends it the configuration over a socket pair.

The main thread serves calls. A second thread runs everything else: key sources, the control channel, the status
report. The worker reads no YAML unless a route has an inline policy.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Event

from authz import exit_codes
from authz.core.configuration import Configuration, compile_configuration
from authz.core.decision import Decision
from authz.core.issuers import Issuer
from authz.core.key_lookup import KeyLookup
from authz.observe import tracing
from authz.observe.log import Log
from authz.observe.tally import Tally
from authz.observe.worker_status import WorkerStatus
from authz.server import engines, long_lived, wire
from authz.server.address import require_free, socket_mode, socket_path
from authz.server.check_service import CheckService
from authz.server.engine import Call, CannotListen, Engine, Service, Status
from authz.server.listener import ListeningSocket, socket_inode
from authz.server.messages import (
    MAX_CONTROL_LINE_BYTES,
    Configure,
    Drain,
    MalformedMessage,
    WorkerStart,
    decode,
    encode,
)
from authz.server.methods import CHECK_METHOD, HEALTH_METHOD
from authz.server.report_interval import report_interval
from authz.server.served_rules import ServedRules
from authz.sources.background import Background
from authz.sources.jwks import JwksSource
from authz.sources.revocations_file import RevocationsFile
from authz.sources.userinfo_source import UserinfoSource

UNKNOWN_SERVICE = Status(5, "unknown service")
"""NOT_FOUND, as the gRPC health checking protocol requires for an unknown service."""

QUIET_SECONDS = 1.0
"""A draining worker without a check for this time is idle: its callers saw NOT_SERVING and moved on."""

LAST_CALLS_SECONDS = 1.0
"""Minimum time for calls in flight when the worker stops: Envoy's deadline for a check."""

LONGEST_TURN_SECONDS = 0.0005
"""How long another thread, such as the log writer, can hold the interpreter while a check is waiting. Python's default
of 5 ms would show in the 99th percentile."""

NEW_KEYS_SECONDS = 5.0
"""How long a reload waits for the keys of new issuers before it takes effect without them: one fetch."""


class Worker:
    """The parts of one worker process, and their start and stop."""

    def __init__(self, start: WorkerStart, control: socket.socket) -> None:
        self._address = start.address
        self._options = start.options
        self._inherited = ListeningSocket(start.address, start.listen_fd) if start.listen_fd >= 0 else None
        self._inode = start.inode
        self._control = control
        self._log = Log(start.options.log_level, start.options.log_format)
        self._trace = tracing.start(lambda problem: self._log.event("warning", "tracing", {"problem": problem}))
        self._background = Background()
        self._tally = Tally()
        self._sources: dict[str, JwksSource] = {}
        self._issuers: dict[str, Issuer] = {}
        self._revocations: RevocationsFile | None = None
        self._userinfo: dict[str, UserinfoSource] = {}
        self._check: CheckService | None = None
        self._configured: Future[None] = Future()
        self._engine: Engine | None = None
        self._draining = False
        self._stopped = Event()

    def run(self) -> int:
        """Serve until a drain or a signal. Return the exit code."""
        sys.setswitchinterval(LONGEST_TURN_SECONDS)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the supervisor decides
        signal.signal(signal.SIGTERM, lambda _signal, _frame: self._drain_later(self._options.drain_seconds))
        controlling = self._background.submit(self._control_loop())
        try:
            self._configured.result()
            self._serve()
        except CannotListen as problem:
            self._log.event("error", "cannot_listen", {"address": self._address, "problem": str(problem)})
            return exit_codes.CANNOT_LISTEN
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
        return exit_codes.OK

    def _serve(self) -> None:
        check = self._check
        if check is None:
            return
        if self._inherited is None:
            require_free(self._address)
        service = Service({CHECK_METHOD: check, HEALTH_METHOD: self._health}, check.overloaded)
        with socket_mode():
            engine = engines.start(self._options.engine, self._address, service, self._inherited)
        self._inode = self._inode or self._inode_now()
        self._log.event("info", "serving", {"address": self._address, "engine": self._options.engine})
        self._engine = engine
        if self._stopped.is_set():  # the stop arrived while the engine was starting
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
        """Act on the supervisor's messages. If the supervisor is gone, stop: nothing would reload the worker."""
        reader, writer = await asyncio.open_connection(sock=self._control, limit=MAX_CONTROL_LINE_BYTES)
        reporting = asyncio.create_task(self._report(writer))
        try:
            while line := await reader.readline():
                match decode(line):
                    case Configure() as message:
                        await self._configure(message)
                    case Drain(seconds):
                        self._drain_later(seconds)
                    case other:
                        raise MalformedMessage(f"a worker does not accept {type(other).__name__}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - without a control channel the worker must not go on
            self._log.event("error", "worker_failed", {"problem": f"{type(error).__name__}: {error!s:.500}"})
        finally:
            reporting.cancel()
            self._drain_later(0.0)
            if not self._configured.done():
                self._configured.set_result(None)

    async def _configure(self, message: Configure) -> None:
        """Put a configuration into force. Sources whose settings did not change keep running with their data."""
        configuration = compile_configuration(message.authz)
        sources = {alias: self._source(issuer) for alias, issuer in configuration.issuers.by_alias.items()}
        fresh = [source for source in sources.values() if source not in self._sources.values()]
        for source in fresh:
            source.start()
        if self._check is not None:
            await _until_loaded(fresh)
        revocations = await self._revocations_of(configuration)
        userinfo = self._userinfo_of(configuration)
        rules = ServedRules.of(configuration, message.realm, KeyLookup(sources), revocations, userinfo)
        kept = {*sources.values(), revocations}
        abandoned = {*self._sources.values(), self._revocations} - kept
        self._revocations, self._userinfo = revocations, userinfo
        self._sources, self._issuers = sources, dict(configuration.issuers.by_alias)
        if self._check is None:
            self._check = CheckService(rules, self._background, self._observe)
            self._configured.set_result(None)
        else:
            self._check.rules = rules
        for gone in abandoned:
            if gone is not None:
                gone.close()
        long_lived.set_aside()

    def _source(self, issuer: Issuer) -> JwksSource:
        before = self._issuers.get(issuer.alias)
        if before is not None and before.keys == issuer.keys and before.algorithms == issuer.algorithms:
            return self._sources[issuer.alias]
        return JwksSource(issuer.alias, issuer.keys, issuer.algorithms, self._background, log=self._log_source)

    async def _revocations_of(self, configuration: Configuration) -> RevocationsFile | None:
        """Return the revocation list after its first read. The current source stays if the path did not change."""
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
        """Return a source per issuer with a userinfo endpoint. If the endpoint did not change, its source stays."""
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
        began = time.monotonic()
        while True:
            self._look_for_socket()
            status = self._status()
            writer.write(encode(status))
            await writer.drain()
            await asyncio.sleep(report_interval(status, time.monotonic() - began))

    def _status(self) -> WorkerStatus:
        engine = self._engine
        return WorkerStatus(
            counts=self._tally.snapshot(),
            engine=self._options.engine if engine is not None else "",
            serving=engine is not None and not self._draining,
            in_flight=engine.in_flight if engine is not None else 0,
            turns=engine.turns if engine is not None else 0,
            lines_dropped=self._log.dropped,
            peer_faults=dict(engine.ended) if engine is not None else {},
            keys={alias: source.report() for alias, source in self._sources.items()},
            userinfo={alias: source.report() for alias, source in self._userinfo.items()},
            revocations=self._revocations.report() if self._revocations is not None else None,
        )

    def _inode_now(self) -> int:
        path = socket_path(self._address)
        return socket_inode(path) if path is not None else 0

    def _look_for_socket(self) -> None:
        """If the socket file was removed or replaced, new connections go elsewhere: become unhealthy and end."""
        if self._engine is not None and not self._draining and self._inode_now() != self._inode:
            self._log.event("error", "socket_lost", {"address": self._address})
            self._drain_later(0.0)

    def _drain_later(self, seconds: float) -> None:
        if not self._draining:
            self._draining = True
            self._background.submit(self._drain(seconds))

    async def _drain(self, seconds: float) -> None:
        """Fail health checks, keep serving until idle or until the time is over, then stop the engine."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = self._tally.total
            await asyncio.sleep(min(QUIET_SECONDS, until - time.monotonic()))
            if self._tally.total == before:
                break
        self._stopped.set()
        if self._engine is not None:
            self._engine.stop(max(LAST_CALLS_SECONDS, until - time.monotonic()))


async def _until_loaded(sources: list[JwksSource]) -> None:
    """Wait until every source has finished its first fetch, at most NEW_KEYS_SECONDS."""
    fetches = [asyncio.wrap_future(fetch) for source in sources if (fetch := source.ask()) is not None]
    if fetches:
        await asyncio.wait(fetches, timeout=NEW_KEYS_SECONDS)


def main() -> int:
    """`python -m authz.server.worker MESSAGE`. Only the supervisor starts it; MESSAGE is an encoded `WorkerStart`."""
    start = decode(sys.argv[1].encode())
    if not isinstance(start, WorkerStart):
        raise MalformedMessage(f"a worker starts with WorkerStart, not {type(start).__name__}")
    return Worker(start, socket.socket(fileno=start.control_fd)).run()


if __name__ == "__main__":
    sys.exit(main())
