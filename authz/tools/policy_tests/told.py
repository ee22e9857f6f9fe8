"""What an issuer's userinfo endpoint says in a test: what the test itself says of each token."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from authz.sources.userinfo_source import REFUSED, Answer


class Told:
    """Answers by token. Implements authz.server.userinfo.AnswerSource."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def tell(self, token: str, claims: Mapping[str, Any] | None, *, is_refused: bool) -> None:
        """From now on this is what the endpoint says of the token."""
        if is_refused:
            self._answers[token] = Answer(REFUSED, detail="userinfo: the test says that the issuer refuses the token")
        elif claims is not None:
            self._answers[token] = Answer("ok", claims)

    def find(self, token: str, _subject: str) -> Answer | None:
        """What the test says of the token; no answer where it says nothing."""
        return self._answers.get(token) or Answer("unasked", detail="userinfo: the test does not say what it answers")

    def ask(self, _token: str, _subject: str) -> Future[None] | None:
        """Nothing more will come."""
        return None
