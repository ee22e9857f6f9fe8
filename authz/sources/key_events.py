"""Log events about keys: one for each refresh that changed the keys or failed.

Key ids are untrusted text: they are logged through `repr`, shortened, and limited in number. Secrets and bodies are
never logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePath
from traceback import extract_tb

from authz.core.keyset import KeySet
from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_SHOWN = 10
"""The most key ids in one line."""

MAX_SHOWN_CHARACTERS = 64

Log = Callable[[str, Mapping[str, object]], None]
"""Called with the event's name and its fields."""


class KeyEvents:
    """The events of one issuer. Never raises, because a failing log must not stop the refresh."""

    def __init__(self, alias: str, log: Log) -> None:
        self._alias = alias
        self._log = log

    def refreshed(self, before: KeySet | None, now: KeySet, *, recovered: bool) -> None:
        """Log changed keys, or the first successful fetch after failures."""
        old, new = before.keys if before else {}, now.keys
        added = [kid for kid in new if old.get(kid) != new[kid]]
        removed = [kid for kid in old if kid not in new]
        self._write(
            "jwks_refreshed", keys=len(now.every_key), added=_shown(added), removed=_shown(removed), recovered=recovered
        )
        if now.dropped and (before is None or before.dropped != now.dropped):
            dropped = [f"{one.key_id!r}: {one.why}" for one in now.dropped[:MAX_SHOWN]]
            self._write("jwks_key_dropped", count=len(now.dropped), dropped=dropped)

    def failed(self, failure: FetchFailed, *, serving: bool) -> None:
        """Log a failed fetch. `serving`: whether older keys are still in use."""
        self._write("jwks_failed", result=str(failure.result), detail=failure.detail, serving=serving)

    def failed_over(self, failure: FetchFailed) -> None:
        """A further location of the keys delivered them, because the preferred one failed so."""
        self._write("jwks_failed_over", result=str(failure.result), detail=failure.detail)

    def stale(self, last_result: FetchResult | None) -> None:
        """Log that the keys are no longer in use because they are older than max_stale."""
        detail = "the last good key set is older than max_stale"
        self._write("jwks_failed", result=str(last_result or ""), detail=detail, serving=False)

    def _write(self, event: str, **fields: object) -> None:
        with suppress(Exception):
            self._log(event, {"issuer": self._alias, **fields})


def unforeseen(error: Exception) -> FetchFailed:
    """Describe an unexpected exception by type and position. Its text is omitted, because it can quote the input."""
    frames = extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return FetchFailed(FetchResult.INTERNAL_ERROR, f"{type(error).__name__}{place}")


def _shown(kids: Iterable[str]) -> list[str]:
    """Key ids as plain text: the log quotes and escapes every value."""
    return [kid[:MAX_SHOWN_CHARACTERS] for kid in list(kids)[:MAX_SHOWN]]
