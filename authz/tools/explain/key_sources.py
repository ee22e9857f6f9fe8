"""Keys for one explanation: the issuer's JWKS fetched now by the sidecar's own source, or a pinned file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for

from authz.core.issuers import Issuer
from authz.core.keyset import MAX_DOCUMENT_BYTES, KeySet, UnusableKeySet, parse
from authz.sources.background import Background
from authz.sources.jwks import JwksSource

FETCH_SECONDS = 8.0
"""Longer than the total deadline of one fetch."""


class Pinned:
    """The keys of a document that was read from a file. Implements authz.server.keys.KeySource."""

    def __init__(self, document: bytes, issuer: Issuer) -> None:
        self.problem = ""
        self.current: KeySet | None = None
        try:
            self.current = parse(document[: MAX_DOCUMENT_BYTES + 1], issuer.algorithms)
        except UnusableKeySet as error:
            self.problem = str(error)

    def ask(self) -> Future[None] | None:
        """Nothing more will come."""
        return None


class Live:
    """The keys of one issuer, fetched when they are first looked at. Implements authz.server.keys.KeySource."""

    def __init__(self, issuer: Issuer, background: Background, about_to_fetch: Callable[[str], None]) -> None:
        self.problem = ""
        self._issuer = issuer
        self._about_to_fetch = about_to_fetch
        self._source: JwksSource | None = None
        self._background = background

    @property
    def current(self) -> KeySet | None:
        """The keys, after the one fetch."""
        if self._source is None:
            self._about_to_fetch(self._issuer.alias)
            location = self._issuer.keys
            self._source = JwksSource(
                self._issuer.alias, location, self._issuer.algorithms, self._background, log=self._note
            )
            self._source.start()
            fetch = self._source.ask()
            if fetch is not None:
                wait_for([fetch], FETCH_SECONDS)
        return self._source.current

    def ask(self) -> Future[None] | None:
        """One fetch is enough: it was made a moment ago."""
        return None

    def close(self) -> None:
        """End the source."""
        if self._source is not None:
            self._source.close()

    def _note(self, event: str, fields: Mapping[str, object]) -> None:
        if event == "jwks_failed":
            self.problem = ", ".join(f"{name} {value}" for name, value in fields.items())
