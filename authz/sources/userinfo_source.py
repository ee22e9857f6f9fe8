"""What one issuer's userinfo endpoint says of tokens, asked outside of requests (OpenID Connect Core section 5.3).

Rules this file keeps: one question per token at a time, and a bound on all that are under way. An answer is remembered
for a stated time, in memory of a stated size, and asked anew before it ends, so that a token in use waits only the
first time. A token goes to its issuer's endpoint and nowhere else: never into a log, a message or a metric.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from threading import Lock

from authz.core.issuers import UserinfoLocation
from authz.core.url import Url
from authz.core.userinfo import MAX_DOCUMENT_BYTES, OtherSubject, UnusableUserinfo, parse
from authz.core.userinfo_lookup import REFUSED, UserinfoAnswer
from authz.sources import discovery
from authz.sources.background import Background
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed, FetchResult, fetchable
from authz.sources.key_documents import Client
from authz.sources.key_events import Log, unforeseen
from authz.sources.source_status import UserinfoStatus

REMEMBERED_SECONDS = 60.0
"""How long an answer counts. A token that the issuer no longer honours is let in for at most so long."""

RENEWED_SECONDS = 30.0
"""The age from which a token in use is asked about again, while the answer still counts."""

MAX_ANSWERS = 2048
MAX_CHARACTERS = 2 * 1024 * 1024
"""Answers remembered at most, and the text of tokens and answers together. What is parsed of them takes some three
times as much beside it. The oldest go first."""

MAX_UNDER_WAY = 256
"""Questions under way or waiting for their turn. Beyond, a token that is not known yet is answered for at once."""

MAX_CONNECTIONS = 16
"""Connections to the endpoint at the same time: handshakes share the processor with requests."""

OTHER_SUBJECT = "other_subject"
RESULTS = (*(result.value for result in FetchResult if result is not FetchResult.NO_USABLE_KEY), REFUSED, OTHER_SUBJECT)
"""How asking can end: the label values of `authz_userinfo_fetches_total{result}`."""

_REFUSALS = frozenset({401, 403})
"""RFC 6750 section 3.1: the token is not valid, or not for this."""


class UserinfoSource:
    """Asks one issuer's endpoint about tokens, and remembers what it said."""

    def __init__(
        self,
        alias: str,
        location: UserinfoLocation,
        background: Background,
        *,
        log: Log,
        environment: Environment | None = None,
    ) -> None:
        self._alias = alias
        self._location = location
        self._background = background
        self._log = log
        self._environment = environment or Environment()
        self._now = self._environment.clock.monotonic
        self._client = Client(location.ca_file, BlockingWorker(), self._environment)
        self._endpoint: Url | None = None
        self._discovering = asyncio.Lock()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._lock = Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._answers: dict[str, UserinfoAnswer] = {}  # written by the background's loop only
        self._characters = 0
        self._results = dict.fromkeys(RESULTS, 0)
        self._is_failing = False

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        """What is known of a verified token and still counts, from any thread. Renews it in the background in time."""
        answer, now = self._answers.get(token), self._now()
        if answer is None or now >= answer.until:
            return None
        if now >= answer.renew_at:
            self.ask(token, subject)
        return answer

    def ask(self, token: str, subject: str) -> Future[None] | None:
        """Have the endpoint asked about a verified token, unless it is being asked; None where too many are.

        The future ends with the question, well or badly, and never raises. Look at `find` then. From any thread.
        """
        with self._lock:
            asked = self._under_way.get(token)
            if asked is not None:
                return asked
            if len(self._under_way) >= MAX_UNDER_WAY:
                return None
            asked = self._under_way[token] = Future()
            # Many share this future. Running, it cannot be cancelled by one who gives up.
            asked.set_running_or_notify_cancel()
        self._background.submit(self._ask(token, subject, asked))
        return asked

    def report(self) -> UserinfoStatus:
        """Return the number of requests by result."""
        return UserinfoStatus(dict(self._results))

    async def _ask(self, token: str, subject: str, asked: Future[None]) -> None:
        try:
            self._keep(token, await self._answer(token, subject))
        finally:
            with self._lock:
                del self._under_way[token]
            asked.set_result(None)

    async def _answer(self, token: str, subject: str) -> UserinfoAnswer:
        """What becomes of asking, whatever it is."""
        seconds = self._environment.deadline_seconds
        try:
            async with asyncio.timeout(seconds), self._turns:
                document = await self._client.get(await self._url(), bearer=token, max_bytes=MAX_DOCUMENT_BYTES)
            claims = parse(document, subject)
        except FetchFailed as failure:
            refused = failure.status in _REFUSALS
            return UserinfoAnswer(REFUSED if refused else failure.result.value, detail=f"userinfo: {failure.detail}")
        except OtherSubject as error:
            return UserinfoAnswer(OTHER_SUBJECT, detail=f"userinfo: {error}")
        except UnusableUserinfo as error:
            return UserinfoAnswer(FetchResult.MALFORMED.value, detail=f"userinfo: {error}")
        except TimeoutError:
            return UserinfoAnswer(FetchResult.TIMEOUT.value, detail=f"userinfo: no whole answer within {seconds:g} s")
        except Exception as error:  # noqa: BLE001 - counted and asked again like any other failure
            return UserinfoAnswer(FetchResult.INTERNAL_ERROR.value, detail=f"userinfo: {unforeseen(error).detail}")
        return UserinfoAnswer(FetchResult.OK.value, claims, size=len(document))

    async def _url(self) -> Url:
        """The endpoint's URL. One that was discovered is kept until a question fails."""
        if self._location.uri:
            return fetchable(self._location.uri)
        async with self._discovering:
            if self._endpoint is None:
                issuer = self._location.discovery
                document = await self._client.get(discovery.document_url(issuer))
                self._endpoint = discovery.userinfo_url(document, issuer)
            return self._endpoint

    def _keep(self, token: str, answer: UserinfoAnswer) -> None:
        """Remember an answer. A failure counts only until the next try, and takes no good answer away."""
        self._results[answer.result] += 1
        now, before = self._now(), self._answers.get(token)
        is_answer = answer.claims is not None or answer.is_refusal
        self._note(answer, is_answer=is_answer)
        if is_answer:
            answer = replace(answer, until=now + REMEMBERED_SECONDS, renew_at=now + RENEWED_SECONDS)
        else:
            self._endpoint = None
            again = now + self._environment.cool_down_seconds
            if before is not None and before.claims is not None and before.until > again:
                answer = replace(before, renew_at=again)
            else:
                answer = replace(answer, until=again, renew_at=again)
        self._remember(token, answer)

    def _remember(self, token: str, answer: UserinfoAnswer) -> None:
        self._forget(token)
        self._answers[token] = answer
        self._characters += len(token) + answer.size
        while len(self._answers) > MAX_ANSWERS or self._characters > MAX_CHARACTERS:
            self._forget(next(iter(self._answers)))

    def _forget(self, token: str) -> None:
        answer = self._answers.pop(token, None)
        if answer is not None:
            self._characters -= len(token) + answer.size

    def _note(self, answer: UserinfoAnswer, *, is_answer: bool) -> None:
        """Say in the log when the endpoint stops and starts to answer: not each time, for clients decide how often."""
        if is_answer is not self._is_failing:
            return
        self._is_failing = not is_answer
        fields = {"issuer": self._alias, "result": answer.result, "detail": answer.detail}
        with suppress(Exception):  # a log that fails must not stop the asking
            self._log("userinfo_failed" if self._is_failing else "userinfo_recovered", fields)
