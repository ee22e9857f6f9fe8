"""What the log says about keys: one event per refresh that changed something or failed.

Key ids are a stranger's text: they are shown through `repr`, shortened and few. No secret and no body is ever shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePath
from traceback import extract_tb

from authz.core.keyset import KeySet
from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_SHOWN = 10
"""Key ids in one line."""

MAX_SHOWN_CHARACTERS = 64

Log = Callable[[str, Mapping[str, object]], None]
"""Takes the event's name and its fields."""


class KeyEvents:
    """One issuer's events. Never raises: a log that fails must not stop the refreshing."""

    def __init__(self, alias: str, log: Log) -> None:
        self._alias = alias
        self._log = log

    def refreshed(self, before: KeySet | None, now: KeySet, *, recovered: bool) -> None:
        """A fetch brought other keys than before, or the first good answer after failures."""
        old, new = before.keys if before else {}, now.keys
        added = [kid for kid in new if old.get(kid) != new[kid]]
        removed = [kid for kid in old if kid not in new]
        self._write("jwks_refreshed", keys=len(new), added=_shown(added), removed=_shown(removed), recovered=recovered)
        if now.dropped and (before is None or before.dropped != now.dropped):
            dropped = [f"{one.key_id!r}: {one.why}" for one in now.dropped[:MAX_SHOWN]]
            self._write("jwks_key_dropped", count=len(now.dropped), dropped=dropped)

    def failed(self, failure: FetchFailed, *, serving: bool) -> None:
        """A fetch brought nothing. `serving`: whether older keys are still in use."""
        self._write("jwks_failed", result=str(failure.result), detail=failure.detail, serving=serving)

    def stale(self, last_result: FetchResult | None) -> None:
        """The keys are no longer in use, for the last good fetch is too long ago."""
        detail = "the last good key set is older than max_stale"
        self._write("jwks_failed", result=str(last_result or ""), detail=detail, serving=False)

    def _write(self, event: str, **fields: object) -> None:
        with suppress(Exception):
            self._log(event, {"issuer": self._alias, **fields})


def unforeseen(error: Exception) -> FetchFailed:
    """A failure of our own code, with its type and place. Its text is left out: it can quote what it worked on."""
    frames = extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return FetchFailed(FetchResult.INTERNAL_ERROR, f"{type(error).__name__}{place}")


def _shown(kids: Iterable[str]) -> list[str]:
    return [repr(kid[:MAX_SHOWN_CHARACTERS]) for kid in list(kids)[:MAX_SHOWN]]
