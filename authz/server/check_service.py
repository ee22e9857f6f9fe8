"""The handler of Envoy's Check method: decide, wait for a fetch if that helps, respond, observe.

Any unexpected exception becomes `internal_error`. It is a refusal, never an RPC error: Envoy can be configured to let
requests through on RPC errors (docs/adr/0004).
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from threading import BoundedSemaphore

from authz.core.candidate import compare
from authz.core.check import Rules, decide
from authz.core.decision import Agreement, Comparison, Decision
from authz.core.key_lookup import FetchPending
from authz.core.reasons import Reason
from authz.core.userinfo_lookup import UserinfoPending
from authz.server.engine import Call
from authz.server.served_rules import ServedRules
from authz.sources.background import Background

MAX_WAITING = 256
"""Parked calls that wait for a key, and as many again that wait for userinfo. Further calls are answered at once from
the caches."""

MAX_WAIT_SECONDS = 5.0
"""The longest wait if the caller sets no deadline: the total time of one fetch."""

REPLY_MARGIN_SECONDS = 0.02
"""Subtracted from the caller's deadline, so that the refusal arrives before it."""

MAX_TRACEBACK_CHARACTERS = 4096

Observe = Callable[[Decision, float, Call], None]
"""Called once per check, at the end, with the decision and the seconds it took."""


class CheckService:
    """The handler of `envoy.service.auth.v3.Authorization/Check`."""

    def __init__(
        self, rules: ServedRules, background: Background, observe: Observe, clock: Callable[[], float] = time.time
    ) -> None:
        self.rules = rules
        """Replaced as a whole by a reload. A check that has begun keeps its rules."""
        self._background = background
        self._observe = observe
        self._clock = clock
        # Separate slots: an endpoint that hangs must not use up those of unknown keys.
        self._slots = {kind: BoundedSemaphore(MAX_WAITING) for kind in (FetchPending, UserinfoPending)}

    def __call__(self, message: bytes, call: Call) -> bytes | None:
        """Return the response, or None if it will come through `call.reply`. Never raises."""
        started = time.perf_counter()
        try:
            return self._answer(message, call, started, may_wait=True, may_ask=True)
        except FetchPending as pending:
            return self._wait(pending, message, call, started)

    def overloaded(self, call: Call) -> bytes:
        """Return the response to a call above the limit, without reading the call."""
        decision = Decision(Reason.OVERLOADED)
        self._observe(decision, 0.0, call)
        return self.rules.renderer.render(decision)

    def _wait(self, pending: FetchPending, message: bytes, call: Call, started: float) -> bytes | None:
        """Park the call until the fetch completes. If no slot is free, answer now."""
        slots = self._slots[type(pending)]
        if not slots.acquire(blocking=False):
            return self._answer(message, call, started)
        self._background.submit(self._later(pending, slots, message, call, started))
        return None

    async def _later(
        self, pending: FetchPending, slots: BoundedSemaphore, message: bytes, call: Call, started: float
    ) -> None:
        """Repeat the check when the fetch completes or the caller's deadline is near.

        Userinfo comes after the key, so a call that waited for a key may wait once more.
        """
        patience = min(max(call.seconds_left() - REPLY_MARGIN_SECONDS, 0.0), MAX_WAIT_SECONDS)
        await asyncio.wait([asyncio.wrap_future(pending.fetch)], timeout=patience)
        slots.release()
        try:
            answer: bytes | None = self._answer(
                message, call, started, may_ask=not isinstance(pending, UserinfoPending)
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
        except Exception as error:  # noqa: BLE001 - the boundary: any unexpected exception is a refusal
            decision = Decision(Reason.INTERNAL_ERROR, detail=_traceback(error))
            answer = rules.renderer.render(decision)
        # After rendering: a candidate must not delay or change the response.
        if decision.policy is not None and decision.policy.candidate is not None:
            decision = replace(decision, comparison=_compare(rules, decision, now))
        self._observe(decision, time.perf_counter() - started, call)
        return answer


def _traceback(error: Exception) -> str:
    """Type and frames of an unexpected exception. Without its message, which can quote a token."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))[-MAX_TRACEBACK_CHARACTERS:]}"


def _compare(rules: Rules, decision: Decision, now: float) -> Comparison | None:
    """Compare a decision with the policy's candidate. Never raises."""
    try:
        return compare(decision, now, rules.revocations.current)
    except Exception as error:  # noqa: BLE001 - the same boundary: as a policy, the candidate would have refused
        agreement = Agreement.of(decision.reason, Reason.INTERNAL_ERROR)
        return Comparison(agreement, Reason.INTERNAL_ERROR, _traceback(error))
