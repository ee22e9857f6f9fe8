"""The lines of a log that another process is still writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def complete_lines(file: Path) -> list[str]:
    """Every complete line. The last one can be half written."""
    complete, _, _begun = file.read_text(encoding="utf-8").rpartition("\n")
    return complete.splitlines()


def logged(file: Path) -> list[dict[str, Any]]:
    """Every complete line, each of which must be a JSON object."""
    return [dict(json.loads(line)) for line in complete_lines(file)]
