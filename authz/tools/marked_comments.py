"""Comments of an Envoy file that begin with the name of a tool, such as `# authz-lint: ...`.

A comment beside a line is about that line. A comment on a separate line is about the next line of YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarkedComment:
    """One comment."""

    line: int
    column: int
    about: int
    """The line of YAML that it is about, its own if none follows."""
    said: str
    """The text behind the mark."""


def marked_comments(text: str, mark: str) -> Iterator[MarkedComment]:
    """Every comment of a file that begins with the mark."""
    pattern = re.compile(rf"(?:^|\s)#\s*{re.escape(mark)}\s*(?P<said>.*)$")
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        comment = pattern.search(line)
        if comment is not None:
            about = _next_line(lines, number) if line.lstrip().startswith("#") else number
            yield MarkedComment(number, line.index("#", comment.start()) + 1, about, comment["said"])


def _next_line(lines: list[str], number: int) -> int:
    """The number of the first line after this line with any content."""
    for following, line in enumerate(lines[number:], start=number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return following
    return number
