"""Parse documents as GitHub does: blocks of code, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<text>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """File and first line, used in a test's name."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path, language: str = "") -> list[Block]:
    """Every block of code, or those in one language."""
    text = document.read_text(encoding="utf-8")
    found = (
        Block(document, text.count("\n", 0, match.start()) + 1, match["language"], match["text"])
        for match in _FENCE.finditer(text)
    )
    return [block for block in found if language in {"", block.language}]


def prose(document: Path) -> str:
    """The text without its blocks of code."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def headings(document: Path) -> list[tuple[int, str]]:
    """Level and text of every heading."""
    return [(len(match["level"]), match["text"]) for match in _HEADING.finditer(prose(document))]


def anchors(document: Path) -> set[str]:
    """The anchors of a document: its headings in lower case, without punctuation, with hyphens for spaces."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _level, text in headings(document)}


def links(document: Path) -> Iterator[str]:
    """The targets of all links and images."""
    return (match["target"] for match in _LINK.finditer(prose(document)))


def rows(document: Path, heading: str) -> list[list[str]]:
    """The cells of every table row below a heading, without the table's own headings."""
    section = re.split(rf"^#+ {re.escape(heading)}$", prose(document), maxsplit=1, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
