"""Rows that were measured outside this repository, such as OPA-Envoy and Authorino, read from a JSON file.

A row holds ratios, never absolute figures: figures of two machines cannot be compared. Each number is the ratio of one
round, taken in turns with the row that `against` names. docs/performance.md documents the shape of the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from bench.results import FOLDER, RATIOS, Samples

FILE = FOLDER / "external.json"
"""The file that the documents are written from. It may be absent."""

TABLES = ("straight", "envoy")
_TEXTS = ("subject", "table", "against", "measured")


class BadFile(Exception):
    """The file does not have the documented shape. The message says where and how to fix it."""


@dataclass(frozen=True, slots=True)
class External:
    """One row: a subject with its ratios per round."""

    subject: str
    table: str
    against: str
    """The subject in that table that the ratios are taken against."""
    measured: str
    """When, and on what."""
    ratios: Samples


def read(path: Path) -> list[External]:
    """The rows of the file, none if it is absent. Raises BadFile."""
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(f"{path}: not JSON: {error}") from None
    rows = document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise BadFile(f'{path}: write an object with a list: {{"rows": [...]}}')
    return [_row(row, f"{path}: row {number}") for number, row in enumerate(rows, 1)]


def _row(row: Any, where: str) -> External:
    if not isinstance(row, dict):
        raise BadFile(f"{where}: write an object")
    for name in row.keys() - {*_TEXTS, "ratios"}:
        raise BadFile(f"{where}: unknown field `{name}`. Known: {', '.join((*_TEXTS, 'ratios'))}")
    for name in _TEXTS:
        if not isinstance(row.get(name), str) or not row[name]:
            raise BadFile(f"{where}: `{name}` must be a text")
    if row["table"] not in TABLES:
        raise BadFile(f"{where}: `table` must be one of {', '.join(TABLES)}")
    ratios = row.get("ratios")
    if not isinstance(ratios, dict) or not ratios:
        raise BadFile(f"{where}: `ratios` must be an object with at least one of {', '.join(RATIOS)}")
    for name, numbers in ratios.items():
        if name not in RATIOS:
            raise BadFile(f"{where}: unknown ratio `{name}`. Known: {', '.join(RATIOS)}")
        if not isinstance(numbers, list) or not numbers or not all(map(_is_ratio, numbers)):
            raise BadFile(f"{where}: `ratios.{name}` must be a list of numbers above 0, one per round")
    return External(row["subject"], row["table"], row["against"], row["measured"], ratios)


def _is_ratio(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number) and number > 0
