"""Format a report as text, GitHub workflow commands, SARIF 2.1.0 or JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authz.core.problems import Location, Problem
from authz.tools.lint.rule import Finding, Rule, Severity
from authz.tools.review_formats import sarif, sarif_location, workflow_command

DOCUMENT = "docs/lint.md"
"""The page that explains each code."""

_SARIF_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file without a readable Envoy configuration."""

    file: str
    problem: Problem

    @property
    def location(self) -> Location:
        """The position of the problem: the beginning of the file if it is not known."""
        return self.problem.location or Location(self.file, 1, 1)

    @property
    def message(self) -> str:
        """The problem and its fix, without the position."""
        return f"{self.problem.message}. {self.problem.fix}".removesuffix(". ")

    def __str__(self) -> str:
        return f"{self.problem.location or self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one run."""

    findings: Sequence[Finding]
    files: int
    """The number of files and folders that could be read."""
    rules: Mapping[str, Rule]
    unreadable: Sequence[Unreadable] = ()
    docs_url: str = ""
    """The URL of the folder with the published documents. Empty if it is not known."""


def explained(rule: Rule) -> str:
    """What a code means, for `--explain`."""
    text = textwrap.fill(" ".join(rule.why.split()), 100)
    allow = f"Allow one finding with a comment above its line: `# authz-lint: allow {rule.code} because REASON`."
    return (
        f"{rule.code} ({rule.severity}): {rule.title}\n\n{text}\n\n{allow}\n`{DOCUMENT}` has an example and its fix.\n"
    )


def as_text(report: Report) -> str:
    """One finding per line, then their number. Empty if no file could be read."""
    findings, files = report.findings, report.files
    if not files:
        return ""
    lines = [
        f"{each.location}: {each.rule.severity} {each.rule.code}: {each.message}. {each.fix}\n" for each in findings
    ]
    counts = Counter(each.rule.severity for each in findings)
    said = ", ".join(_counted(counts[severity], severity) for severity in Severity if counts[severity])
    more = f" `authz lint --explain {findings[0].rule.code}` explains a code." if findings else ""
    return "".join(lines) + f"{_counted(files, 'file')}: {said or 'nothing found'}.{more}\n"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 or word == Severity.INFO else f"{count} {word}s"


def as_json(report: Report) -> str:
    """A list of objects, and one for the files that cannot be read."""
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
        for each in report.findings
    ]
    unreadable = [
        {
            "file": each.location.file,
            "line": each.location.line,
            "column": each.location.column,
            "problem": each.message,
        }
        for each in report.unreadable
    ]
    return json.dumps({"findings": found, "unreadable": unreadable}, indent=2) + "\n"


def as_github(report: Report) -> str:
    """Workflow commands: GitHub Actions shows each beside its line."""
    lines = [
        _command(_GITHUB_LEVEL[each.rule.severity], each.location, each.rule.code, f"{each.message}. {each.fix}")
        for each in report.findings
    ]
    lines += [_command("error", each.location, "unreadable", each.message) for each in report.unreadable]
    return "".join(lines)


def _command(level: str, place: Location, title: str, message: str) -> str:
    return workflow_command(level, place.file, message, line=place.line, col=place.column, title=title)


def as_sarif(report: Report) -> str:
    """One run, with every rule that can be broken. Files that cannot be read are notifications (section 3.20.21)."""
    index = {code: number for number, code in enumerate(report.rules)}
    results = [
        {
            "ruleId": each.rule.code,
            "ruleIndex": index[each.rule.code],
            "level": _SARIF_LEVEL[each.rule.severity],
            "message": {"text": f"{each.message}. {each.fix}"},
            "locations": [_sarif_location(each.location)],
        }
        for each in report.findings
    ]
    notes = [
        {"level": "error", "message": {"text": each.message}, "locations": [_sarif_location(each.location)]}
        for each in report.unreadable
    ]
    invocation = {"executionSuccessful": not notes, "toolExecutionNotifications": notes}
    rules = [_sarif_rule(rule, report.docs_url) for rule in report.rules.values()]
    return sarif("authz lint", rules, invocations=[invocation], columnKind="unicodeCodePoints", results=results)


def _sarif_rule(rule: Rule, docs_url: str) -> dict[str, Any]:
    why = " ".join(rule.why.split())
    described = {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": why},
        "help": {"text": explained(rule), "markdown": f"**{rule.title}**\n\n{why}\n"},
        "defaultConfiguration": {"level": _SARIF_LEVEL[rule.severity]},
    }
    return described | ({"helpUri": f"{docs_url.rstrip('/')}/lint.md#{rule.code.lower()}"} if docs_url else {})


def _sarif_location(place: Location) -> dict[str, object]:
    return sarif_location(place.file, startLine=place.line, startColumn=place.column)


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}
