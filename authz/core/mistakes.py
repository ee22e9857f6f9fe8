"""An operator's mistake: where it is, what is wrong, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where a value stands in a document: mapping keys and list indices from the root."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing an operator has to change."""

    path: Path
    problem: str
    """What is wrong, without the place: `client_ids is missing`."""
    cure: str
    """What to write instead, as an imperative sentence."""
    on_key: bool = False
    """Whether the place is the mapping key itself (an unknown field) and not its value."""

    def __str__(self) -> str:
        where = ".".join(map(str, self.path)) or "the document"
        return f"{where}: {self.problem}. {self.cure}"


class Mistakes(Exception):
    """Every mistake found in one reading. Never raised empty."""

    def __init__(self, found: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, found)))
        self.found = found
