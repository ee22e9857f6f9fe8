"""Findings that the operator allows, each with a reason: comments in the file, beside the line or above it.

    clear_route_cache: true   # authz-lint: allow AUTHZ404 because no route differs by an identity header

A comment on a separate line applies to the next line of YAML. A comment without a reason is ignored. A comment
that matches no finding is reported as a finding, because it would hide the next problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from authz.tools.marked_comments import marked_comments

MARK = "authz-lint:"

_ALLOW = re.compile(r"allow\s+(?P<codes>AUTHZ[0-9]{3}(?:\s*,\s*AUTHZ[0-9]{3})*)\s+because\s+(?P<reason>\S.*\S)\s*")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment. Without codes it is not understood."""

    line: int
    column: int
    about: int
    """The line whose findings it allows."""
    codes: tuple[str, ...]
    reason: str


def suppressions(text: str) -> Iterator[Suppression]:
    """Every `authz-lint:` comment of a file."""
    for comment in marked_comments(text, MARK):
        allowed = _ALLOW.fullmatch(comment.said)
        codes = tuple(re.split(r"\s*,\s*", allowed["codes"])) if allowed else ()
        yield Suppression(comment.line, comment.column, comment.about, codes, allowed["reason"] if allowed else "")
