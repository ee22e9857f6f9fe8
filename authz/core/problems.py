"""An error in an operator's file: its position, the problem and the fix."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The position of a value in a document: mapping keys and list indices from the root."""


@dataclass(frozen=True, slots=True)
class Location:
    """A position in a file. Lines and columns start at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error that the operator must fix."""

    path: Path
    message: str
    """The problem without the position: `client_ids is missing`."""
    fix: str
    """The fix, as an imperative sentence. Empty if the message says it."""
    on_key: bool = False
    """Whether the position is the mapping key itself (an unknown field) and not its value."""
    location: Location | None = None
    """None until a reader that knows the text adds it."""

    def __str__(self) -> str:
        position = str(self.location) if self.location is not None else ".".join(map(str, self.path))
        return (f"{position}: " if position else "") + self.message + (f". {self.fix}" if self.fix else "")


class ConfigurationError(Exception):
    """All problems of one input, at least one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def because(cls, message: str, fix: str = "", location: Location | None = None) -> ConfigurationError:
        """The error of a single problem."""
        return cls((Problem((), message, fix, location=location),))
