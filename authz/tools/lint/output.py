"""Format findings as text, GitHub workflow commands, SARIF 2.1.0 or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from authz import __version__
from authz.tools.lint.rule import Finding, Rule, Severity

DOCUMENT = "docs/lint.md"
"""The page that explains each code."""

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_text(findings: Sequence[Finding], files: int, _rules: dict[str, Rule]) -> str:
    """One finding per line, then their number. Empty if no file could be read."""
    if not files:
        return ""
    lines = [
        f"{each.location}: {each.rule.severity} {each.rule.code}: {each.message}. {each.fix}\n" for each in findings
    ]
    counts = Counter(each.rule.severity for each in findings)
    said = ", ".join(_counted(counts[severity], severity) for severity in Severity if counts[severity])
    more = f" `{DOCUMENT}` explains each code." if findings else ""
    return "".join(lines) + f"{_counted(files, 'file')}: {said or 'nothing found'}.{more}\n"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 or word == Severity.INFO else f"{count} {word}s"


def as_json(findings: Sequence[Finding], _files: int, _rules: dict[str, Rule]) -> str:
    """A list of objects."""
    found = [
        {
            "file": each.location.file,
            "line": each.location.line,
            "column": each.location.column,
            "code": each.rule.code,
            "severity": each.rule.severity.value,
            "title": each.rule.title,
            "problem": each.message,
            "fix": each.fix,
        }
        for each in findings
    ]
    return json.dumps({"findings": found}, indent=2) + "\n"


def as_github(findings: Sequence[Finding], _files: int, _rules: dict[str, Rule]) -> str:
    """Workflow commands: GitHub Actions shows each beside its line."""
    return "".join(
        f"::{_GITHUB_LEVEL[each.rule.severity]} file={_property(each.location.file)},line={each.location.line},"
        f"col={each.location.column},title={each.rule.code}::{_message(f'{each.message}. {each.fix}')}\n"
        for each in findings
    )


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(findings: Sequence[Finding], _files: int, rules: dict[str, Rule]) -> str:
    """One run, with every rule that can be broken."""
    driver = {
        "name": "authz lint",
        "version": __version__,
        "rules": [
            {
                "id": rule.code,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": " ".join(rule.why.split())},
                "defaultConfiguration": {"level": _SARIF_LEVEL[rule.severity]},
            }
            for rule in rules.values()
        ],
    }
    index = {code: number for number, code in enumerate(rules)}
    results = [
        {
            "ruleId": each.rule.code,
            "ruleIndex": index[each.rule.code],
            "level": _SARIF_LEVEL[each.rule.severity],
            "message": {"text": f"{each.message}. {each.fix}"},
            "locations": [_sarif_location(each)],
        }
        for each in findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_location(finding: Finding) -> dict[str, object]:
    region = {"startLine": finding.location.line, "startColumn": finding.location.column}
    return {"physicalLocation": {"artifactLocation": {"uri": finding.location.file}, "region": region}}


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}
