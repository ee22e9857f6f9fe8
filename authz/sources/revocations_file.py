"""The revocation list in a file, polled outside of requests.

Invariants: `current` is replaced, never modified, and read without a lock. If the file is unusable, the last good list
stays in force. Before the first good list, `current` refuses every token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress

from authz.core.problems import ConfigurationError
from authz.core.revocations import MAX_DOCUMENT_BYTES, UNREAD, Revocations, parse
from authz.sources import files
from authz.sources.background import Background
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.key_events import MAX_SHOWN, Log, unforeseen
from authz.sources.source_status import RevocationsStatus

POLL_SECONDS = 0.5
"""Interval of polling the file: a new entry takes effect within a second, including the read. Polling works on every
file system and through ConfigMap symlinks."""

READ_SECONDS = 5.0
"""Deadline of one poll. A network file system can hang forever."""

RESULTS = (
    FetchResult.OK,
    FetchResult.TIMEOUT,
    FetchResult.TOO_LARGE,
    FetchResult.MALFORMED,
    FetchResult.FILE_UNREADABLE,
    FetchResult.INTERNAL_ERROR,
)
"""The results of a read: the label values of `authz_revocations_loads_total{result}`."""

_NEVER_SEEN = object()


class RevocationsFile:
    """Reads the list at start and whenever the file changes."""

    def __init__(
        self,
        path: str,
        issuers: frozenset[str],
        background: Background,
        *,
        log: Log,
        environment: Environment | None = None,
    ) -> None:
        self.path = path
        self.issuers = issuers
        """Known issuer aliases. Unknown aliases in entries are logged, because an entry with a typo revokes nothing."""
        self.current: Revocations = UNREAD
        """The list in force. Safe to read from any thread."""
        self._background = background
        self._log = log
        self._clock = (environment or Environment()).clock
        self._worker = BlockingWorker()
        self._signature: object = _NEVER_SEEN
        self._loads = dict.fromkeys(RESULTS, 0)
        self._last_success: float | None = None
        self._watching: Future[None] | None = None

    async def start(self) -> None:
        """Read the file and poll it until close(). Called once, on the background's loop."""
        await self._look()
        self._watching = self._background.submit(self._watch())

    def close(self) -> None:
        """Stop polling. `current` stays, for requests that still use this source."""
        if self._watching is not None:
            self._watching.cancel()

    def report(self) -> RevocationsStatus:
        """Return the status of the list. Safe from any thread."""
        return RevocationsStatus(
            read=self.current.is_read,
            entries=len(self.current),
            last_success=self._last_success,
            loads=dict(self._loads),
        )

    async def _watch(self) -> None:
        while True:
            await self._clock.wait(asyncio.Event(), POLL_SECONDS)
            await self._look()

    async def _look(self) -> None:
        """Read the file if it was replaced or written since the last read. Never raises."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                signature = await self._worker.run(lambda: files.signature(self.path))
                if signature == self._signature:
                    return
                self._signature = signature  # set before the read, so that the next poll notices a change during it
                self._keep(await self._worker.run(lambda: read(self.path)))
        except FetchFailed as failure:
            self._note_failure(failure)
        except TimeoutError:
            self._note_failure(FetchFailed(FetchResult.TIMEOUT, f"not read within {READ_SECONDS:g} s"))
        except Exception as error:  # noqa: BLE001 - polling must continue
            self._note_failure(unforeseen(error))

    def _keep(self, revocations: Revocations) -> None:
        self.current = revocations
        self._loads[FetchResult.OK] += 1
        self._last_success = self._clock.wall()
        unknown = sorted(revocations.issuers - self.issuers)
        self._write("revocations_loaded", entries=len(revocations), unknown_issuers=unknown[:MAX_SHOWN])

    def _note_failure(self, failure: FetchFailed) -> None:
        self._loads[failure.result] += 1
        serving = self.current.is_read
        self._write("revocations_failed", result=str(failure.result), detail=failure.detail, serving=serving)

    def _write(self, event: str, **fields: object) -> None:
        described: Mapping[str, object] = {"file": self.path, **fields}
        with suppress(Exception):  # a failing log must not stop the polling
            self._log(event, described)


def read(path: str) -> Revocations:
    """Read the list from a file. Blocks. Raises FetchFailed(FILE_UNREADABLE | TOO_LARGE | MALFORMED)."""
    document = files.read(path, "revocations_file", MAX_DOCUMENT_BYTES)
    try:
        return parse(document)
    except ConfigurationError as error:
        shown = "; ".join(map(str, error.problems[:MAX_SHOWN]))
        more = len(error.problems) - MAX_SHOWN
        raise FetchFailed(FetchResult.MALFORMED, shown + (f"; and {more} more" if more > 0 else "")) from error
