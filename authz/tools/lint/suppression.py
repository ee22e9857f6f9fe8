"""Findings that the operator allows, each with a reason: comments in the file, beside the line or above it.

    clear_route_cache: true   # authz-lint: allow AUTHZ404 because no route differs by an identity header

A comment on a separate line applies to the next line of YAML. A comment without a reason is ignored. A comment
that matches no finding is reported as a finding, because it would hide the next problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MARK = "authz-lint:"

_COMMENT = re.compile(r"(?:^|\s)#\s*authz-lint:\s*(?P<said>.*)$")
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
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        comment = _COMMENT.search(line)
        if comment is None:
            continue
        allowed = _ALLOW.fullmatch(comment["said"])
        codes = tuple(re.split(r"\s*,\s*", allowed["codes"])) if allowed else ()
        about = _next_line(lines, number) if line.lstrip().startswith("#") else number
        yield Suppression(
            number, line.index("#", comment.start()) + 1, about, codes, allowed["reason"] if allowed else ""
        )


def _next_line(lines: list[str], number: int) -> int:
    """The number of the first line after this line with any content."""
    for following, line in enumerate(lines[number:], start=number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return following
    return number
