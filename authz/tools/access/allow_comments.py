"""Comments in NEW that accept a widening, and those among them that accept nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from authz.tools.marked_comments import marked_comments

FORM = "# authz-diff: allow wider because REASON"
_ALLOWED = re.compile(r"allow\s+wider\s+because\s+(?P<reason>\S.*\S)\s*")


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
    for comment in marked_comments(text, "authz-diff:"):
        allowed = _ALLOWED.fullmatch(comment.said)
        found.append(AllowComment(comment.line, comment.about, allowed["reason"] if allowed else ""))
    return found
