"""Comments in NEW that accept a widening, and those among them that accept nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

FORM = "# authz-diff: allow wider because REASON"
_COMMENT = re.compile(r"(?:^|\s)#\s*authz-diff:(?P<said>.*)$")
_ALLOWED = re.compile(r"\s*allow\s+wider\s+because\s+(?P<reason>\S.*\S)\s*")


@dataclass(frozen=True, slots=True)
class AllowComment:
    """One `authz-diff` comment."""

    line: int
    about: int
    """The line of YAML that it is about: its own, or the next one with content."""
    reason: str
    """Empty if the comment does not have the form that accepts a widening."""


@dataclass(frozen=True, slots=True)
class StaleComment:
    """A comment that accepts nothing."""

    line: int
    problem: str
    fix: str


def allow_comments(text: str) -> list[AllowComment]:
    """Every `authz-diff` comment of a file."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        comment = _COMMENT.search(line)
        if comment is not None:
            about = _next_content(lines, number) if line.lstrip().startswith("#") else number
            allowed = _ALLOWED.fullmatch(comment["said"])
            found.append(AllowComment(number, about, allowed["reason"] if allowed else ""))
    return found


def _next_content(lines: list[str], number: int) -> int:
    for following, line in enumerate(lines[number:], start=number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return following
    return number
