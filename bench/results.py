"""Measured results as tables of numbers: one JSON file per table, read again by report.py and plot.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

FOLDER = Path(__file__).parent / "results"

RATIOS = {"per_second": "rate", "cpu_microseconds": "CPU each", "alone_p99": "p99, one at a time"}
"""What is compared between the subjects of a table, and its heading."""

Samples = dict[str, list[float]]
"""By measurement name: one number per round."""


@dataclass
class Row:
    """One subject of a comparison."""

    subject: str
    samples: Samples = field(default_factory=dict)

    def add(self, **numbers: float) -> None:
        """One round's numbers."""
        for name, number in numbers.items():
            self.samples.setdefault(name, []).append(round(number, 2))

    def middle(self, name: str) -> float:
        """The median over the rounds."""
        return median(self.samples[name])


@dataclass
class Table:
    """One comparison: everything in it was measured in turns, in one run on one machine."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)

    def row(self, subject: str) -> Row:
        """The row of that subject, created if it is missing."""
        found = next((row for row in self.rows if row.subject == subject), None)
        if found is None:
            self.rows.append(found := Row(subject))
        return found

    def samples(self, subject: str, name: str) -> list[float]:
        """The numbers of a subject, one per round; none if it was not measured."""
        found = next((row for row in self.rows if row.subject == subject), None)
        return [] if found is None else found.samples.get(name, [])

    def ratios(self, name: str, of: str, to: str) -> list[float]:
        """The ratio within each round: a disturbance of a round hits both. None if one of the two was not measured."""
        one, other = self.samples(of, name), self.samples(to, name)
        return [this / that for this, that in zip(one, other, strict=True)] if one and other else []


def spread(numbers: Sequence[float]) -> tuple[float, float]:
    """The first and third quartile."""
    if len(numbers) == 1:
        return numbers[0], numbers[0]
    first, _, third = quantiles(numbers, n=4, method="inclusive")
    return first, third


def write(tables: Iterable[Table], folder: Path) -> None:
    """One JSON file per table."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        text = json.dumps(asdict(table), indent=1)
        (folder / f"{table.name}.json").write_text(text + "\n", encoding="utf-8")


def read(names: Sequence[str], folder: Path = FOLDER) -> dict[str, Table]:
    """The tables that are there, by name."""
    tables = {}
    for name in names:
        path = folder / f"{name}.json"
        if path.exists():
            saved = json.loads(path.read_text(encoding="utf-8"))
            tables[name] = Table(saved["name"], saved["title"], [Row(**row) for row in saved["rows"]])
    return tables


def write_about(about: Mapping[str, str | int], folder: Path) -> None:
    """Write the machine and versions beside the numbers."""
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_about(folder: Path = FOLDER) -> dict[str, str | int]:
    """Return the content that `write_about` wrote."""
    about: dict[str, str | int] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return about
