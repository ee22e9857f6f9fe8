"""Every rule has a failing and a fixed example that Envoy accepts, and the rule finds exactly the marked line.

The folders beside this file are also the examples of docs/lint.md.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from authz.tools.lint.examine import examine, rules
from authz.tools.processes.machine import envoy_command

FOLDER = Path(__file__).parent
CODES = sorted(path.name for path in FOLDER.glob("AUTHZ*"))

_MARK = re.compile(r"# (?P<code>AUTHZ[0-9]{3})\b")
_REFUSED_BY_ENVOY = {
    "AUTHZ103/failing.yaml": "field_of_a_later_envoy",
    "AUTHZ406/failing.yaml": "PathSeparatedPrefix: value does not match",
    "AUTHZ801/failing.yaml": "must support HTTP/2",
}
"""Examples that Envoy does not take either, with the words that it says."""

_DISTINCT = {path.read_text(encoding="utf-8"): f"{path.parent.name}/{path.name}" for path in FOLDER.glob("*/*.yaml")}
"""One example for each text: many fixed ones are the same."""


def _marked(text: str) -> set[tuple[int, str]]:
    return {
        (number, match["code"])
        for number, line in enumerate(text.splitlines(), start=1)
        for match in _MARK.finditer(line)
    }


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    assert list(rules()) == CODES


@pytest.mark.parametrize("code", CODES)
def test_failing_example_has_the_finding_on_the_marked_line_and_nothing_else(code: str) -> None:
    text = (FOLDER / code / "failing.yaml").read_text(encoding="utf-8")

    found = {(finding.location.line, finding.rule.code) for finding in examine(text, "failing.yaml")}

    assert found == _marked(text)
    assert code in {found_code for _line, found_code in found}


@pytest.mark.parametrize("code", CODES)
def test_fixed_example_has_no_finding(code: str) -> None:
    text = (FOLDER / code / "fixed.yaml").read_text(encoding="utf-8")

    assert [f"{finding.location} {finding.message}" for finding in examine(text, "fixed.yaml")] == []


@pytest.mark.parametrize("example", sorted(_DISTINCT.values()))
def test_envoy_accepts_the_example(example: str) -> None:
    """Errors that Envoy itself refuses hardly need a rule: nearly all examples pass `envoy --mode validate`."""
    result = subprocess.run(
        [envoy_command(), "--mode", "validate", "--log-level", "error", "-c", FOLDER / example],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )

    refused_for = _REFUSED_BY_ENVOY.get(example, "")
    assert (result.returncode != 0) == bool(refused_for), result.stderr
    assert refused_for in result.stderr
