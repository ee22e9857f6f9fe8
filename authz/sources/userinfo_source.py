"""The userinfo endpoint of one issuer (OpenID Connect Core section 5.3), with a cache of its answers.

Invariants: at most one running request per token, and a bound on all running requests. An answer is cached for a fixed
time in a cache of fixed size. It is refreshed before it expires, so that a token in use waits only the first time. A
token is sent to its issuer's endpoint only, and never appears in a log, a message or a metric.
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
from authz.sources.answer_memory import AnswerMemory
from authz.sources.background import Background
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed, FetchResult, fetchable
from authz.sources.key_documents import HttpsClient
from authz.sources.key_events import Log, unforeseen
from authz.sources.source_status import UserinfoStatus

REMEMBERED_SECONDS = 60.0
"""How long claims are valid. A token that the issuer no longer honours is accepted for at most this time. A refusal is
valid until the issuer answers with claims: a failed refresh must not turn it into an allow."""

RENEWED_SECONDS = 30.0
"""The age at which the answer for a token in use is refreshed. It stays valid meanwhile."""

MAX_UNDER_WAY = 256
"""The most requests that are running or queued. Above it, a check with an unknown token does not wait."""

MAX_CONNECTIONS = 16
"""The most connections to the endpoint at the same time. TLS handshakes compete with checks for the CPU."""

OTHER_SUBJECT = "other_subject"
RESULTS = (*(result.value for result in FetchResult if result is not FetchResult.NO_USABLE_KEY), REFUSED, OTHER_SUBJECT)
"""The results of a request: the label values of `authz_userinfo_fetches_total{result}`."""

_REFUSALS = frozenset({401, 403})
"""The token is invalid, or not accepted here (RFC 6750 section 3.1)."""


class UserinfoSource:
    """Sends tokens to one issuer's endpoint and caches the answers."""

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
        self._client = HttpsClient(location.ca_file, BlockingWorker(), self._environment, location.proxy)
        self._endpoint: Url | None = None
        self._discovering = asyncio.Lock()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._lock = Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._answers = AnswerMemory()  # written on the background loop only
        self._results = dict.fromkeys(RESULTS, 0)
        self._is_failing = False

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        """Return the valid cached answer for a verified token. If it is old, refresh it. Safe from any thread."""
        answer, now = self._answers.get(token), self._now()
        if answer is None or (now >= answer.until and not answer.is_refusal):
            return None
        if now >= answer.renew_at:
            self.ask(token, subject)
        return answer

    def ask(self, token: str, subject: str) -> Future[None] | None:
        """Start a request for a verified token, or join the running request. None if too many are running.

        The future completes with the request, successful or not, and never raises. Call `find` then. Safe from any
        thread.
        """
        with self._lock:
            asked = self._under_way.get(token)
            if asked is not None:
                return asked
            if len(self._under_way) >= MAX_UNDER_WAY:
                return None
            asked = self._under_way[token] = Future()
            # Many callers share this future. In the running state, a caller that gives up cannot cancel it.
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
        """Make the request and return its outcome. Never raises."""
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
            return UserinfoAnswer(
                FetchResult.TIMEOUT.value, detail=f"userinfo: no complete response within {seconds:g} s"
            )
        except Exception as error:  # noqa: BLE001 - counted and retried like any other failure
            return UserinfoAnswer(FetchResult.INTERNAL_ERROR.value, detail=f"userinfo: {unforeseen(error).detail}")
        return UserinfoAnswer(FetchResult.OK.value, claims, size=len(document))

    async def _url(self) -> Url:
        """Return the endpoint's URL. A discovered URL is cached until a request fails."""
        if self._location.uri:
            return fetchable(self._location.uri)
        async with self._discovering:
            if self._endpoint is None:
                issuer = self._location.discovery
                document = await discovery.find(issuer, self._client.get)
                self._endpoint = discovery.userinfo_url(document, issuer)
            return self._endpoint

    def _keep(self, token: str, answer: UserinfoAnswer) -> None:
        """Cache an answer. A failure is cached until the next retry, and replaces neither claims nor a refusal."""
        self._results[answer.result] += 1
        now, before = self._now(), self._answers.get(token)
        is_answer = answer.claims is not None or answer.is_refusal
        self._note(answer, is_answer=is_answer)
        if is_answer:
            answer = replace(answer, until=now + REMEMBERED_SECONDS, renew_at=now + RENEWED_SECONDS)
        else:
            self._endpoint = None
            again = now + self._environment.cool_down_seconds
            if before is not None and (before.is_refusal or (before.claims is not None and before.until > again)):
                answer = replace(before, renew_at=again)
            else:
                answer = replace(answer, until=again, renew_at=again)
        self._answers.put(token, answer)

    def _note(self, answer: UserinfoAnswer, *, is_answer: bool) -> None:
        """Log only the first failure and the recovery of the endpoint. Clients control the number of requests."""
        if is_answer is not self._is_failing:
            return
        self._is_failing = not is_answer
        fields = {"issuer": self._alias, "result": answer.result, "detail": answer.detail}
        with suppress(Exception):  # a failing log must not affect requests
            self._log("userinfo_failed" if self._is_failing else "userinfo_recovered", fields)
