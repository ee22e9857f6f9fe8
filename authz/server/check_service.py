"""One check, from the bytes that Envoy sends to the bytes that it gets, in one straight line.

`Check.decide` is the table of contents of the program. Everything unforeseen ends in `Check.__call__` as
`internal_error`: refused, never an RPC error, which Envoy could be told to let through (docs/adr/0004).
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import BoundedSemaphore, Lock
from types import MappingProxyType
from typing import Protocol

from authz.core import bearer, token
from authz.core.candidate import compare
from authz.core.configuration import Configuration
from authz.core.decision import Agreement, Comparison, Decision
from authz.core.identity import Identity, identify
from authz.core.policy import judge_claims, judge_token
from authz.core.reasons import Denied, Reason
from authz.core.revocations import Revocations
from authz.core.token_cache import TokenCache
from authz.core.verifier import require_algorithm, verify
from authz.server import wire
from authz.server.check_response import Renderer
from authz.server.keys import FetchPending, Keys
from authz.server.policies import Policies
from authz.server.userinfo import AnswerSource, Userinfo, UserinfoPending
from authz.sources.background import Background

MAX_WAITING = 256
"""Calls that wait for a key at the same time, and as many that wait for an issuer's word on a token. More are answered
at once from what is there."""

MAX_WAIT_SECONDS = 5.0
"""The longest wait where the caller sets no deadline: the total time of one fetch."""

REPLY_MARGIN_SECONDS = 0.02
"""Kept back from the caller's deadline, so that the refusal still arrives."""

MAX_TRACEBACK_CHARACTERS = 4096


class RevocationSource(Protocol):
    """The revocation list, as far as a check needs it."""

    @property
    def current(self) -> Revocations | None:
        """The list to judge by now, None where none is configured. Read from any thread."""


class NoRevocations:
    """Stands in where no list is configured."""

    current = None


class Call(Protocol):
    """One call of the data plane, as far as a check needs it."""

    def seconds_left(self) -> float:
        """Seconds until the caller's deadline."""

    def reply(self, message: bytes) -> None:
        """Answer later, from any thread. Once."""

    def traceparent(self) -> str:
        """The caller's place in its trace (W3C Trace Context), empty where it is in none. Not looked at yet."""


Observe = Callable[[Decision, float, Call], None]
"""Told once per check, at the end: the decision and the seconds it took."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a check is held against. A reload makes new ones; what was remembered under the old ones goes."""

    configuration: Configuration
    policies: Policies
    keys: Keys
    renderer: Renderer
    token_cache: TokenCache
    revocations: RevocationSource
    userinfo: Userinfo

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        realm: str,
        keys: Keys,
        revocations: RevocationSource | None = None,
        userinfo: Mapping[str, AnswerSource] = MappingProxyType({}),
    ) -> Rules:
        """Rules of one configuration."""
        return cls(
            configuration=configuration,
            policies=Policies(configuration.references),
            keys=keys,
            renderer=Renderer(realm, configuration.forward),
            token_cache=TokenCache(Lock()),
            revocations=revocations or NoRevocations(),
            userinfo=Userinfo(userinfo, configuration.forward),
        )

    def recall(self, credential: str, now: float) -> Identity | None:
        """The identity of a token that was verified with a key set which is still in force."""
        identity = self.token_cache.get(credential, now)
        if identity is None or identity.key_set is not self.keys.current(identity.issuer.alias):
            return None
        return identity


class Check:
    """The handler of `envoy.service.auth.v3.Authorization/Check`."""

    def __init__(
        self, rules: Rules, background: Background, observe: Observe, clock: Callable[[], float] = time.time
    ) -> None:
        self.rules = rules
        """Replaced as a whole by a reload; a check uses the rules that it began with."""
        self._background = background
        self._observe = observe
        self._clock = clock
        self._waiting = {kind: BoundedSemaphore(MAX_WAITING) for kind in (FetchPending, UserinfoPending)}
        """Places to wait in. Each kind has its own: an endpoint that hangs must not take those of unknown keys."""

    def __call__(self, message: bytes, call: Call) -> bytes | None:
        """The answer, or None where it will come through `call.reply`. Never raises."""
        started = time.perf_counter()
        try:
            return self._answer(message, call, started, may_wait=True, may_ask=True)
        except FetchPending as not_yet:
            return self._wait(not_yet, message, call, started)

    def overloaded(self, call: Call) -> bytes:
        """The answer to a call that is one too many: given without reading it."""
        decision = Decision(Reason.OVERLOADED)
        self._observe(decision, 0.0, call)
        return self.rules.renderer.render(decision)

    def _wait(self, not_yet: FetchPending, message: bytes, call: Call, started: float) -> bytes | None:
        """Put the call aside until what it lacks may be there; without a free place it is answered at once."""
        places = self._waiting[type(not_yet)]
        if not places.acquire(blocking=False):
            return self._answer(message, call, started)
        self._background.submit(self._later(not_yet, places, message, call, started))
        return None

    async def _later(
        self, not_yet: FetchPending, places: BoundedSemaphore, message: bytes, call: Call, started: float
    ) -> None:
        """The same check once more when the fetch has ended, or when the caller will not wait any longer.

        The issuer is asked after the key is found, so whoever has waited for a key may wait once more.
        """
        patience = min(max(call.seconds_left() - REPLY_MARGIN_SECONDS, 0.0), MAX_WAIT_SECONDS)
        await asyncio.wait([asyncio.wrap_future(not_yet.fetch)], timeout=patience)
        places.release()
        try:
            answer: bytes | None = self._answer(
                message, call, started, may_ask=not isinstance(not_yet, UserinfoPending)
            )
        except FetchPending as again:
            answer = self._wait(again, message, call, started)
        if answer is not None:
            call.reply(answer)

    def _answer(
        self, message: bytes, call: Call, started: float, *, may_wait: bool = False, may_ask: bool = False
    ) -> bytes:
        rules, now = self.rules, self._clock()
        try:
            decision = decide(rules, message, now, may_wait=may_wait, may_ask=may_ask)
            answer = rules.renderer.render(decision)
        except FetchPending:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: whatever was not foreseen is refused
            decision = Decision(Reason.INTERNAL_ERROR, detail=_traceback(error))
            answer = rules.renderer.render(decision)
        if decision.policy is not None and decision.policy.candidate is not None:
            decision = replace(decision, comparison=_compare(rules, decision, now))
        self._observe(decision, time.perf_counter() - started, call)
        return answer


def _traceback(error: Exception) -> str:
    """Type and frames of an unforeseen error. Its text is left out: it can quote what it worked on, such as a token."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))[-MAX_TRACEBACK_CHARACTERS:]}"


def decide(rules: Rules, message: bytes, now: float, *, may_wait: bool, may_ask: bool = False) -> Decision:
    """One check, top to bottom.

    Raises FetchPending if the key may come with a fetch and the call may wait, or if the issuer is asked about
    the token and the call may wait for that; and nothing else.
    """
    request = policy = unverified = issuer = identity = remembered = None
    try:
        request = wire.parse(message)
        policy = rules.policies.find(request.policy)
        credential = bearer.find(request.authorization) if policy.reads_token else None
        if credential is None:
            return Decision(policy.decide_without_token(), request, policy)
        identity = rules.recall(credential, now)
        remembered = identity is not None
        if identity is None:
            unverified = token.parse(bearer.require_b64token(credential))
            issuer = rules.configuration.issuers.find(unverified.unverified_issuer)
            policy.require_issuer(issuer)
            require_algorithm(unverified, issuer)
            key, key_set = rules.keys.find(issuer, unverified.header.key_id, may_wait=may_wait)
            claims = verify(unverified, key)
            identity = identify(unverified, claims, issuer, key_set, rules.configuration.forward)
            rules.token_cache.put(credential, identity)
        judge_token(identity, policy, now, rules.revocations.current)
        if policy.userinfo is not None:
            identity = rules.userinfo.complete(identity, credential, policy.userinfo, may_wait=may_ask)
        judge_claims(identity, policy, now)
        return Decision(Reason.OK, request, policy, identity, identity.issuer.alias, "", remembered)
    except Denied as denied:
        reason, detail, text = denied.reason, denied.detail, denied.text
    return Decision(
        reason,
        request,
        policy,
        identity,
        issuer=identity.issuer.alias if identity else issuer.alias if issuer else "",
        unverified_key_id=unverified.header.key_id if unverified else "",
        remembered=remembered,
        detail=detail,
        text=text,
    )


def _compare(rules: Rules, decision: Decision, now: float) -> Comparison | None:
    """What the candidate says of a request that is already answered. Never raises: it must not change the answer."""
    try:
        return compare(decision, now, rules.revocations.current)
    except Exception as error:  # noqa: BLE001 - the same boundary: what was not foreseen would have been refused
        agreement = Agreement.of(decision.reason, Reason.INTERNAL_ERROR)
        return Comparison(agreement, Reason.INTERNAL_ERROR, _traceback(error))
