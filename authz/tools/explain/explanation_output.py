"""An explanation on a terminal, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from authz.terminal import Style
from authz.tools.explain.advice import advise
from authz.tools.explain.explanation import Explanation, Line, Verdict
from authz.tools.explain.wording import moment

_MARKS: dict[Verdict, str] = {
    "pass": "pass",
    "fail": "FAIL",
    "would pass": "(pass)",
    "would fail": "(fail)",
    "not reached": "-",
}
_STEP_COLUMNS, _VALUE_COLUMNS = 16, 46


def text(explanation: Explanation, style: Style) -> Iterator[str]:
    """Lines for people. Verdicts in brackets are those of later steps, had the check not ended."""
    row = explanation.decision.reason.row
    yield f"At {moment(explanation.now)}:"
    yield ""
    for line in explanation.lines:
        yield from _text_line(line, style)
        if line.reason is not None and line.detail:
            yield " " * 9 + style.faint(line.detail)
    yield ""
    if explanation.is_allowed:
        yield style.good(f"Forwarded: {row.label}")
        yield from _forwarded(explanation)
        return
    yield style.bad(f"Refused: {row.label} (HTTP {row.http_status})") + f"  {row.meaning}"
    yield ""
    yield "The client gets:"
    yield f"  HTTP {explanation.answer.status}"
    yield from (f"  {name}: {value}" for name, value in explanation.answer.headers.items())
    yield f"  {explanation.answer.body.rstrip()}"
    yield ""
    yield "What would let it pass:"
    yield from (f"  {each}" for each in advise(explanation.decision, explanation.now, explanation.further))


def _text_line(line: Line, style: Style) -> Iterator[str]:
    """A step: verdict, name, value and rule in columns, with the rule on a second line if the value is long."""
    paint = {"pass": style.good, "fail": style.bad}.get(line.verdict, style.faint)
    start = f"  {paint(f'{_MARKS[line.verdict]:7}')}{line.step:{_STEP_COLUMNS}}"
    if len(line.value) > _VALUE_COLUMNS and line.rule:
        yield start + line.value
        yield " " * (9 + _STEP_COLUMNS) + style.faint(f"rule: {line.rule}")
    else:
        yield f"{start}{line.value:{_VALUE_COLUMNS}}  {line.rule}".rstrip()


def _forwarded(explanation: Explanation) -> Iterator[str]:
    answer = explanation.answer
    yield ""
    yield "The service gets:"
    yield from (f"  {name}: {value}" for name, value in answer.headers.items())
    yield f"  and never, from a client: {', '.join(answer.removed)}"


def data(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as JSON."""
    row, answer = explanation.decision.reason.row, explanation.answer
    return {
        "at": moment(explanation.now),
        "decision": row.outcome,
        "reason": row.label,
        "policy": explanation.decision.policy.name if explanation.decision.policy else "",
        "issuer": explanation.decision.issuer,
        "checks": [_line(line) for line in explanation.lines],
        "answer": {
            "status": answer.status,
            "headers": dict(answer.headers),
            "removed_headers": list(answer.removed),
            "body": answer.body,
        },
        "advice": list(advise(explanation.decision, explanation.now, explanation.further)),
    }


def _line(line: Line) -> dict[str, str]:
    reason = line.reason.row.label if line.reason else ""
    shown = {"check": line.step, "verdict": line.verdict, "value": line.value, "rule": line.rule}
    return shown | {"reason": reason, "detail": line.detail}
