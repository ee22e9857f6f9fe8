"""The revocation list in a file, looked at again and again outside of requests.

Rules this file keeps: `current` is replaced, never changed, and read without a lock. A file that cannot be used takes
nothing away: the last good list stays. Before there was a good one, `current` refuses every token.
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
"""How often the file is looked at: what is added to the list counts within a second, reading included. Polling works on
every file system and through ConfigMap symlinks."""

READ_SECONDS = 5.0
"""The longest a look may take before it counts as failed: a network file system can hang for ever."""

RESULTS = (
    FetchResult.OK,
    FetchResult.TIMEOUT,
    FetchResult.TOO_LARGE,
    FetchResult.MALFORMED,
    FetchResult.FILE_UNREADABLE,
    FetchResult.INTERNAL_ERROR,
)
"""How reading can end: the label values of `authz_revocations_loads_total{result}`."""

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
        """Aliases that entries can name; others are reported, for an entry with a typo revokes nothing."""
        self.current: Revocations = UNREAD
        """The list to judge by now. Read from any thread."""
        self._background = background
        self._log = log
        self._clock = (environment or Environment()).clock
        self._worker = BlockingWorker()
        self._signature: object = _NEVER_SEEN
        self._loads = dict.fromkeys(RESULTS, 0)
        self._last_success: float | None = None
        self._watching: Future[None] | None = None

    async def start(self) -> None:
        """Read the file, good or bad, and keep watching it until close(). Called once, on the background's loop."""
        await self._look()
        self._watching = self._background.submit(self._watch())

    def close(self) -> None:
        """Stop watching. `current` stays, for requests that still hold this source."""
        if self._watching is not None:
            self._watching.cancel()

    def report(self) -> RevocationsStatus:
        """The status of the list. From any thread."""
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
        """Read the file if it is another than the last time, or has been written since. Never raises."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                signature = await self._worker.run(lambda: files.signature(self.path))
                if signature == self._signature:
                    return
                self._signature = signature  # taken first: a change while it is read is seen by the next look
                self._keep(await self._worker.run(lambda: read(self.path)))
        except FetchFailed as failure:
            self._note_failure(failure)
        except TimeoutError:
            self._note_failure(FetchFailed(FetchResult.TIMEOUT, f"not read within {READ_SECONDS:g} s"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look must come
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
        with suppress(Exception):  # a log that fails must not stop the watching
            self._log(event, described)


def read(path: str) -> Revocations:
    """The list in a file. Blocks. Raises FetchFailed(FILE_UNREADABLE | TOO_LARGE | MALFORMED)."""
    document = files.read(path, "revocations_file", MAX_DOCUMENT_BYTES)
    try:
        return parse(document)
    except ConfigurationError as mistakes:
        shown = "; ".join(map(str, mistakes.problems[:MAX_SHOWN]))
        more = len(mistakes.problems) - MAX_SHOWN
        raise FetchFailed(FetchResult.MALFORMED, shown + (f"; and {more} more" if more > 0 else "")) from mistakes
