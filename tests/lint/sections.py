"""The generated parts of docs/lint.md: what each code means, with the examples that the tests run."""

from __future__ import annotations

import difflib
from pathlib import Path

from authz.tools.lint.examine import rules

FOLDER = Path(__file__).parent


def codes() -> str:
    """Every code of `authz lint`, a row each."""
    rows = [f"[`{rule.code}`](#{rule.code.lower()}) | {rule.severity} | {rule.title}" for rule in rules().values()]
    return "".join(f"| {row} |\n" for row in ("code | severity | what is found", "--- | --- | ---", *rows))


def sections() -> str:
    """A section for every code: why it matters, and what changes from its failing to its fixed example."""
    return "\n".join(
        f"### {rule.code}\n\n**{rule.title[0].upper()}{rule.title[1:]}** ({rule.severity}). "
        f"{' '.join(rule.why.split())}\n\n{_fixing(rule.code)}"
        for rule in rules().values()
    )


def _fixing(code: str) -> str:
    """The lines around what changes, with the mark of the finding."""
    failing, fixed = ((FOLDER / code / f"{name}.yaml").read_text(encoding="utf-8") for name in ("failing", "fixed"))
    changes = list(difflib.unified_diff(failing.splitlines(), fixed.splitlines(), n=2, lineterm=""))[3:]
    lines = "\n".join("..." if line.startswith("@@") else line for line in changes)
    where = f"../tests/lint/{code}"
    return f"```diff\n{lines}\n```\n\nWhole files: [failing]({where}/failing.yaml), [fixed]({where}/fixed.yaml).\n"
