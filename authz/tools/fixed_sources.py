"""Sources of keys, revocations and userinfo for one explanation or test run. They never change after the first look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.core.issuers import Issuer
from authz.core.keyset import MAX_DOCUMENT_BYTES as MAX_JWKS_BYTES
from authz.core.keyset import KeySet, UnusableKeySet
from authz.core.keyset import parse as parse_jwks
from authz.core.problems import ConfigurationError
from authz.core.revocations import MAX_DOCUMENT_BYTES as MAX_LIST_BYTES
from authz.core.revocations import Revocations
from authz.core.revocations import parse as parse_list
from authz.core.userinfo_lookup import REFUSED, UserinfoAnswer
from authz.sources.background import Background
from authz.sources.jwks import JwksSource
from authz.sources.userinfo_source import UserinfoSource

FETCH_SECONDS = 8.0
"""Longer than the total deadline of one fetch, so the fetch always ends first and its error is reported."""


class PinnedKeys:
    """The keys of a JWKS file. Implements authz.core.key_lookup.KeySource."""

    def __init__(self, document: bytes, issuer: Issuer) -> None:
        self.problem = ""
        self.current: KeySet | None = None
        try:
            text, distinct = document[: MAX_JWKS_BYTES + 1], issuer.keys.distinct_kids
            self.current = parse_jwks(text, issuer.algorithms, distinct_kids=distinct)
        except UnusableKeySet as error:
            self.problem = f"--jwks: {error}"

    def ask(self) -> Future[None] | None:
        """Return None: a file is never fetched again."""
        return None


class FetchedKeys:
    """The keys of one issuer, fetched on the first look. Implements authz.core.key_lookup.KeySource."""

    def __init__(self, issuer: Issuer, background: Background, before_fetch: Callable[[str], None]) -> None:
        self.problem = ""
        self._issuer = issuer
        self._before_fetch = before_fetch
        self._source: JwksSource | None = None
        self._background = background

    @property
    def current(self) -> KeySet | None:
        """The key set, None if the fetch failed."""
        if self._source is None:
            self._before_fetch(self._issuer.alias)
            issuer = self._issuer
            self._source = JwksSource(
                issuer.alias, issuer.keys, issuer.algorithms, self._background, log=self._note_failure
            )
            self._source.start()
            fetch = self._source.ask()
            if fetch is not None:
                wait_for([fetch], FETCH_SECONDS)
        return self._source.current

    def ask(self) -> Future[None] | None:
        """Return None: the one fetch was a moment ago."""
        return None

    def close(self) -> None:
        """Stop the source."""
        if self._source is not None:
            self._source.close()

    def _note_failure(self, event: str, fields: Mapping[str, object]) -> None:
        if event == "jwks_failed":
            self.problem = ", ".join(f"{name} {value}" for name, value in fields.items())


class FetchedUserinfo:
    """Waits for the answer of the endpoint. Implements authz.core.userinfo_lookup.AnswerSource."""

    def __init__(self, source: UserinfoSource) -> None:
        self._source = source

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        """Return the answer, after one request."""
        answer = self._source.find(token, subject)
        if answer is None:
            request = self._source.ask(token, subject)
            if request is not None:
                wait_for([request], FETCH_SECONDS)
            answer = self._source.find(token, subject)
        return answer

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """Return None: the one request was a moment ago."""
        return None


class NoUserinfo:
    """Makes no request. Implements authz.core.userinfo_lookup.AnswerSource."""

    def find(self, _token: str, _subject: str) -> UserinfoAnswer | None:
        """Return the reason for the missing answer."""
        return UserinfoAnswer("unasked", detail="userinfo: not requested, because --jwks pins the keys to a file")

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """Return None: there is no request to wait for."""
        return None


class PresetUserinfo:
    """The answers that a policy test defines, by token. Implements authz.core.userinfo_lookup.AnswerSource."""

    def __init__(self) -> None:
        self._answers: dict[str, UserinfoAnswer] = {}

    def preset(self, token: str, claims: Mapping[str, Any] | None, *, is_refused: bool) -> None:
        """Set the answer for a token."""
        if is_refused:
            detail = "userinfo: the test says that the issuer refuses the token"
            self._answers[token] = UserinfoAnswer(REFUSED, detail=detail)
        elif claims is not None:
            self._answers[token] = UserinfoAnswer("ok", claims)

    def find(self, token: str, _subject: str) -> UserinfoAnswer | None:
        """Return the answer for a token, or the reason that there is none."""
        missing = UserinfoAnswer("unasked", detail="userinfo: the test does not say what it answers")
        return self._answers.get(token) or missing

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """Return None: there is no request to wait for."""
        return None


@dataclass(frozen=True, slots=True)
class FixedRevocations:
    """A list that does not change. Implements authz.core.check.RevocationSource."""

    current: Revocations | None


def read_revocations(file: str) -> tuple[FixedRevocations, str]:
    """Return the list in a file and a note if it cannot be read. Both are empty if no file is configured."""
    if not file:
        return FixedRevocations(None), ""
    try:
        with Path(file).open("rb") as stream:
            return FixedRevocations(parse_list(stream.read(MAX_LIST_BYTES + 1))), ""
    except OSError as error:
        return FixedRevocations(None), f"The revocation list {file} is left out: {error.strerror or error}."
    except ConfigurationError as error:
        return FixedRevocations(None), f"The revocation list {file} is left out: {error.problems[0]}"
