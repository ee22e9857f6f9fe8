"""Userinfo answers by token, bounded in number and in text. The oldest are dropped first."""

from __future__ import annotations

from authz.core.userinfo_lookup import UserinfoAnswer

MAX_ANSWERS = 2048
MAX_CHARACTERS = 2 * 1024 * 1024
"""The most answers of one kind, and the most text of tokens and answers together. Their parsed form takes about three
times as much in addition."""


class AnswerMemory:
    """Refusals and other answers, each with a bound of its own.

    An outage produces a failure for every token in use. With one bound for both, the failures would drop the refusals,
    and a policy that does not require userinfo would allow a refused token.
    """

    def __init__(self) -> None:
        self._refusals = _Answers()
        self._others = _Answers()

    def __len__(self) -> int:
        return len(self._refusals.by_token) + len(self._others.by_token)

    def get(self, token: str) -> UserinfoAnswer | None:
        """Return the answer for a token. From any thread."""
        return self._refusals.by_token.get(token) or self._others.by_token.get(token)

    def put(self, token: str, answer: UserinfoAnswer) -> None:
        """Keep an answer instead of the token's last one. From one thread only."""
        keep, drop = (self._refusals, self._others) if answer.is_refusal else (self._others, self._refusals)
        keep.put(token, answer)
        drop.drop(token)


class _Answers:
    """One kind of answers."""

    def __init__(self) -> None:
        self.by_token: dict[str, UserinfoAnswer] = {}
        self._characters = 0

    def put(self, token: str, answer: UserinfoAnswer) -> None:
        self.drop(token)
        self.by_token[token] = answer
        self._characters += len(token) + answer.size
        while len(self.by_token) > MAX_ANSWERS or self._characters > MAX_CHARACTERS:
            self.drop(next(iter(self.by_token)))

    def drop(self, token: str) -> None:
        answer = self.by_token.pop(token, None)
        if answer is not None:
            self._characters -= len(token) + answer.size
