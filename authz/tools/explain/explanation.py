"""One check taken step by step beside the real one, and both compared.

The answer is that of `authz.server.check_service.decide`. The steps only show how it came about; if they ever led to
another reason, that would be a fault of this program, and it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from authz.core.decision import Decision
from authz.core.reasons import Denied, Reason
from authz.server import wire
from authz.server.check_service import Rules, decide
from authz.server.conversation import Answer
from authz.tools.explain.evidence import Evidence
from authz.tools.explain.steps import DEMANDS, UNVERIFIED, Enough, Step

Verdict = Literal["pass", "fail", "would pass", "would fail", "not reached"]


@dataclass(frozen=True, slots=True)
class Line:
    """One step as it went."""

    step: str
    verdict: Verdict
    value: str = ""
    rule: str = ""
    reason: Reason | None = None
    detail: str = ""
    """What the sidecar's log would say."""


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
    def failed(self) -> Line | None:
        """The first step that refuses."""
        return next((line for line in self.lines if line.verdict == "fail"), None)


class Disagreement(Exception):
    """The steps shown led elsewhere than the check itself: a fault of this program."""


def explain(rules: Rules, message: bytes, now: float) -> Explanation:
    """Explain what the sidecar answers to a CheckRequest at a time (seconds since the epoch)."""
    decision = decide(rules, message, now, may_wait=False)
    lines = tuple(_walk(Evidence(rules, message, now)))
    explanation = Explanation(lines, decision, wire.read_answer(rules.renderer.render(decision)), now)
    shown = explanation.failed.reason if explanation.failed else None
    if shown is not (None if explanation.is_allowed else decision.reason):
        said = shown.row.label if shown else "no refusal"
        raise Disagreement(f"the steps end in {said}, the check in {decision.reason.row.label}")
    return explanation


def _walk(evidence: Evidence) -> Iterator[Line]:
    """Every step: taken while none has refused, and held against the identity for information afterwards."""
    has_failed = is_over = False
    for step in (*UNVERIFIED, *DEMANDS):
        if is_over or (has_failed and not hasattr(evidence, "identity")):
            yield Line(step.name, "not reached")
            continue
        try:
            step.take(evidence)
        except Enough:
            is_over = True
            yield _line(step, "pass", evidence)
        except Denied as denied:
            yield _line(step, "would fail" if has_failed else "fail", evidence, denied)
            has_failed = True
        else:
            yield _line(step, "would pass" if has_failed else "pass", evidence)


def _line(step: Step, verdict: Verdict, evidence: Evidence, denied: Denied | None = None) -> Line:
    if denied is None:
        return Line(step.name, verdict, step.value(evidence), step.rule(evidence))
    if not hasattr(evidence, "request"):
        return Line(step.name, verdict, "unreadable", "", denied.reason, denied.detail)
    return Line(step.name, verdict, step.value(evidence), step.rule(evidence), denied.reason, denied.detail)
