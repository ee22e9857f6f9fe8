"""The forms in which code review shows a result: GitHub workflow commands, SARIF 2.1.0 and Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from authz import __version__

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def workflow_command(level: str, file: str, message: str, **position: object) -> str:
    """A line that GitHub Actions shows beside the line of the file. Positions are `line`, `col` and `title`."""
    places = ",".join(f"{name}={value}" for name, value in position.items())
    return f"::{level} file={_property(file)},{places}::{_escaped(message)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def sarif(name: str, rules: Sequence[Mapping[str, Any]], **run: object) -> str:
    """A log of one run of a tool. `run` has its further members, such as `results`."""
    driver = {"name": name, "version": __version__, "rules": list(rules)}
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, **run}]}
    return json.dumps(log, indent=2) + "\n"


def sarif_location(file: str, **region: int) -> dict[str, object]:
    """A location. `region` has `startLine`, and `startColumn` if it is known."""
    return {"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}


def code_lines(text: str) -> str:
    """Each line as a code span, so that Markdown keeps its stars and underscores (CommonMark section 6.1)."""
    return "\n".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in text.splitlines())


def table_row(cells: Sequence[str]) -> str:
    """A row of a Markdown table (GitHub Flavored Markdown section 4.10)."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"
