"""The issuer's userinfo for one explanation: asked by the sidecar's own source, or not at all where keys are pinned."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import wait as wait_for

from authz.sources.userinfo_source import Answer, UserinfoSource
from authz.tools.explain.key_sources import FETCH_SECONDS


class Asked:
    """Waits for the endpoint's answer. Implements authz.server.userinfo.AnswerSource."""

    def __init__(self, source: UserinfoSource) -> None:
        self._source = source

    def find(self, token: str, subject: str) -> Answer | None:
        """The answer, after the one question."""
        answer = self._source.find(token, subject)
        if answer is None:
            asked = self._source.ask(token, subject)
            if asked is not None:
                wait_for([asked], FETCH_SECONDS)
            answer = self._source.find(token, subject)
        return answer

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """One question is enough: it was asked a moment ago."""
        return None


class Unasked:
    """Nobody is asked. Implements authz.server.userinfo.AnswerSource."""

    def find(self, _token: str, _subject: str) -> Answer | None:
        """Why there is no answer."""
        return Answer("unasked", detail="userinfo: the issuer is not asked where --jwks gives its keys")

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """None will come."""
        return None
