"""An explanation: the decision of one check, and a line for every step of the check.

`authz.core.check.decide` makes the check once and records what each step saw. Everything here reads that record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Literal

from authz.core.check import decide
from authz.core.check_record import CheckRecord
from authz.core.decision import Decision
from authz.core.reasons import Denied, Reason
from authz.core.token_cache import TokenCache
from authz.server import wire
from authz.server.conversation import Answer
from authz.server.served_rules import ServedRules
from authz.tools.explain.recorded_check import KeyProblem, RecordedCheck, no_problem
from authz.tools.explain.steps import IDENTITY_STEPS, LOOKUP_STEPS, IdentityStep, LookupStep

Verdict = Literal["pass", "fail", "would pass", "would fail", "not reached"]


@dataclass(frozen=True, slots=True)
class Line:
    """One step and its verdict."""

    step: str
    verdict: Verdict
    value: str = ""
    rule: str = ""
    reason: Reason | None = None
    detail: str = ""
    """The detail that the sidecar logs."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One check, explained."""

    lines: tuple[Line, ...]
    decision: Decision
    answer: Answer
    now: float

    @property
    def is_allowed(self) -> bool:
        """Whether the request is forwarded."""
        return self.decision.reason.row.outcome == "allow"

    @property
    def further(self) -> tuple[Reason, ...]:
        """The reasons for which later checks would refuse the request."""
        return tuple(line.reason for line in self.lines if line.verdict == "would fail" and line.reason is not None)

    @property
    def failed(self) -> Line | None:
        """The step that refused the request."""
        return next((line for line in self.lines if line.verdict == "fail"), None)


def explain(rules: ServedRules, message: bytes, now: float, key_problem: KeyProblem = no_problem) -> Explanation:
    """Explain the response to a CheckRequest at a time (seconds since the epoch).

    `key_problem` returns why an issuer's keys could not be loaded.
    """
    # With an empty token cache: a cached token would skip the steps up to the signature.
    rules = replace(rules, token_cache=TokenCache(nullcontext()))
    record = CheckRecord()
    decision = decide(rules, message, now, may_wait=False, record=record)
    lines = tuple(_lines(RecordedCheck(rules, record, now, key_problem)))
    return Explanation(lines, decision, wire.read_answer(rules.renderer.render(decision)), now)


def _lines(seen: RecordedCheck) -> Iterator[Line]:
    """The steps up to a verified identity, then the checks of that identity."""
    for lookup in LOOKUP_STEPS:
        if lookup.is_last(seen):
            yield from _last_lookup(lookup, seen)
            return
        yield _line(lookup, "pass", seen)
    has_failed = False
    for step in IDENTITY_STEPS:
        refusal = step.judge(seen)
        if has_failed and step.is_unknown(seen):
            yield Line(step.name, "not reached")
        elif refusal is None:
            yield _line(step, "would pass" if has_failed else "pass", seen)
        elif has_failed:
            yield _line(step, "would fail", seen, refusal)
        else:
            has_failed = True
            yield _line(step, "fail", seen, seen.record.denied)


def _last_lookup(last: LookupStep, seen: RecordedCheck) -> Iterator[Line]:
    """The step that ended the check, and the steps after it, which were not reached."""
    denied = seen.record.denied
    yield _line(last, "pass" if denied is None else "fail", seen, denied)
    later = [step.name for step in LOOKUP_STEPS[LOOKUP_STEPS.index(last) + 1 :]]
    yield from (Line(name, "not reached") for name in (*later, *(step.name for step in IDENTITY_STEPS)))


def _line(step: LookupStep | IdentityStep, verdict: Verdict, seen: RecordedCheck, denied: Denied | None = None) -> Line:
    value = step.value(seen) if seen.record.request is not None else "unreadable"
    rule = step.rule(seen) if seen.record.request is not None else ""
    if denied is None:
        return Line(step.name, verdict, value, rule)
    return Line(step.name, verdict, value, rule, denied.reason, denied.detail)
