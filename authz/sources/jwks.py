"""The key set (RFC 7517) of one issuer, refreshed outside of requests.

Invariants: `current` is replaced, never modified, and read without a lock. A failed fetch never removes keys, only
`max_stale` does. One task makes all fetches, so there is never more than one at a time. FetchLimiter enforces the
cool-down. No fault of an endpoint, a file, a clock or the log ends the refresh or reaches a caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future

from authz.core.issuers import KeyLocation
from authz.core.keyset import KeySet, UnusableKeySet, parse
from authz.sources.background import Background
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_limiter import FetchLimiter
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.fetch_stats import FetchStats
from authz.sources.key_documents import KeyDocument, documents_of
from authz.sources.key_events import KeyEvents, Log, unforeseen
from authz.sources.schedule import next_delay
from authz.sources.source_status import KeyStatus

__all__ = ["FetchFailed", "FetchResult", "JwksSource", "KeyStatus"]


class JwksSource:
    """Fetches an issuer's JWKS at start, on a schedule, and when a request needs an unknown key."""

    def __init__(
        self,
        alias: str,
        location: KeyLocation,
        algorithms: Iterable[str],
        background: Background,
        *,
        log: Log,
        environment: Environment | None = None,
    ) -> None:
        self.current: KeySet | None = None
        """The key set in force, for any thread. None before the first successful fetch and after max_stale."""
        self._alias = alias
        self._location = location
        self._algorithms = frozenset(algorithms)
        self._background = background
        self._environment = environment or Environment()
        self._clock = self._environment.clock
        self._limiter = FetchLimiter(self._environment.cool_down_seconds, self._clock.monotonic)
        self._stats = FetchStats(self._clock.wall)
        self._events = KeyEvents(alias, log)
        self._worker = BlockingWorker()
        self._documents = documents_of(location, self._environment)
        """Tried in order. The location that worked last comes first."""
        self._key_set: KeySet | None = None  # the last good key set, even if it is too old to be `current`
        self._failures = 0
        self._due = self._stale_at = float("-inf")
        self._wanted = asyncio.Event()
        self._tasks: list[Future[None]] = []

    def start(self) -> None:
        """Fetch now, and refresh until close(). Called once."""
        self._stale_at = self._clock.monotonic() + self._location.max_stale_seconds
        self._limiter.open()
        steps = [self._refresh, self._forget_when_stale]
        if self._location.jwks_file:
            steps.append(self._watch_file)
        self._tasks = [self._background.submit(self._for_ever(step)) for step in steps]

    def close(self) -> None:
        """Stop the refresh and release waiting calls. `current` stays, for requests that still use this source."""
        self._limiter.close()
        for task in self._tasks:
            task.cancel()

    def ask(self) -> Future[None] | None:
        """Return the fetch that may bring an unknown key, None if the cool-down allows none now.

        The future completes with the fetch, successful or not, and never raises. Read `current` then. Never blocks.
        """
        fetch, begins = self._limiter.join_or_begin()
        if begins and not self._background.call(self._wanted.set):
            self._limiter.close()
        return fetch

    def report(self) -> KeyStatus:
        """Return the status of this issuer's keys. Safe from any thread."""
        return self._stats.report(self._alias, in_use=self.current is not None, unknown_kids=self._limiter.asked)

    async def _for_ever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the refresh must continue
                self._events.failed(unforeseen(error), serving=self.current is not None)
                await asyncio.sleep(self._environment.cool_down_seconds)

    async def _refresh(self) -> None:
        while not self._limiter.under_way and (left := self._due - self._clock.monotonic()) > 0:
            self._wanted.clear()
            await self._clock.wait(self._wanted, left)
        began = self._limiter.begin()
        try:
            await self._fetch()
        finally:
            self._limiter.end()
            self._due = began + next_delay(
                failures=self._failures,
                refresh_seconds=self._location.refresh_seconds,
                cool_down_seconds=self._environment.cool_down_seconds,
                has_keys=self.current is not None,
                chance=self._environment.chance(),
            )

    async def _forget_when_stale(self) -> None:
        left = self._stale_at - self._clock.monotonic()
        if left > 0:  # a successful fetch only moves the time later, so it is safe to sleep until the old time
            await self._clock.wait(asyncio.Event(), left)
            return
        self._stale_at = self._clock.monotonic() + max(self._location.max_stale_seconds, 1.0)
        if self.current is not None:
            self.current = None
            self._events.stale(self._stats.last_result)

    async def _watch_file(self) -> None:
        await self._clock.wait(asyncio.Event(), self._environment.file_poll_seconds)
        if await self._documents[0].has_changed():
            self._due = self._limiter.opens_at
            self._wanted.set()

    async def _fetch(self) -> None:
        seconds = self._environment.deadline_seconds
        try:
            async with asyncio.timeout(seconds):
                key_set = await self._first_good(seconds)
        except FetchFailed as failure:
            self._note_failure(failure)
        except TimeoutError:
            self._note_failure(FetchFailed(FetchResult.TIMEOUT, f"no complete response within {seconds:g} s"))
        except Exception as error:  # noqa: BLE001 - counted and retried like any other failure
            self._note_failure(unforeseen(error))
        else:
            self._keep(key_set)

    async def _first_good(self, seconds: float) -> KeySet:
        """Return the first good key set. The locations that are left share the time that is left."""
        clock = asyncio.get_running_loop().time
        ends, failure = (
            clock() + seconds,
            FetchFailed(FetchResult.TIMEOUT, f"no complete response within {seconds:g} s"),
        )
        for tried, document in enumerate(tuple(self._documents)):
            left = len(self._documents) - tried
            try:
                async with asyncio.timeout((ends - clock()) / left):
                    key_set = await self._parse(await document.read())
            except FetchFailed as failed:
                failure = failed
            except TimeoutError:
                failure = FetchFailed(FetchResult.TIMEOUT, f"no complete response within {seconds / left:g} s")
            except Exception as error:  # noqa: BLE001 - the next location can still work
                failure = unforeseen(error)
            else:
                if tried:
                    self._prefer(document, failure)
                return key_set
        raise failure

    def _prefer(self, document: KeyDocument, failure: FetchFailed) -> None:
        self._documents.remove(document)
        self._documents.insert(0, document)
        self._events.failed_over(failure)

    async def _parse(self, document: bytes) -> KeySet:
        """Parse a document. Return the same KeySet object if the keys are equal, so that cached tokens stay valid."""
        held, distinct = self._key_set, self._location.distinct_kids
        try:
            key_set = await self._worker.run(lambda: parse(document, self._algorithms, distinct_kids=distinct))
        except UnusableKeySet as error:
            raise FetchFailed(FetchResult.NO_USABLE_KEY, str(error)) from error
        return held if held == key_set and held is not None else key_set

    def _keep(self, key_set: KeySet) -> None:
        before, recovered = self._key_set, self._failures > 0
        self._key_set, self._failures = key_set, 0
        self._stale_at = self._clock.monotonic() + self._location.max_stale_seconds
        self._stats.ended(FetchResult.OK)
        self._stats.holds(key_set)
        self.current = key_set
        if recovered or key_set is not before:
            self._events.refreshed(before, key_set, recovered=recovered)

    def _note_failure(self, failure: FetchFailed) -> None:
        self._failures += 1
        self._stats.ended(failure.result)
        self._events.failed(failure, serving=self.current is not None)
