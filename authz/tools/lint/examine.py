"""Run all rules on one file. Findings are in file order, without suppressed ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from authz.core.problems import Location
from authz.envoy.document import YamlDocument
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.input_forms import of_files
from authz.tools.lint.rule import RULES, Finding, Rule, Severity
from authz.tools.lint.rules import RULE_FILES
from authz.tools.lint.suppression import Suppression, suppressions


def rules() -> dict[str, Rule]:
    """Every rule by its code, in the order of the codes."""
    for subject in RULE_FILES:
        import_module(f"authz.tools.lint.rules.{subject}")
    return dict(sorted(RULES.items()))


def examine(text: str, file: str) -> tuple[Finding, ...]:
    """Every finding in a file. Raises ConfigurationError if it is no Envoy configuration."""
    return examine_files({file: text})


def examine_files(texts: Mapping[str, str]) -> tuple[Finding, ...]:
    """Every finding in the files of one Envoy. Raises ConfigurationError if none is an Envoy configuration."""
    known = rules()
    found = [finding for document in of_files(texts) for finding in _broken(document, known.values())]
    left: list[Finding] = []
    for file, text in texts.items():
        lines = text.splitlines()
        here = [each for each in found if each.location.file == file and not _is_marked(each, lines)]
        allowed = tuple(suppressions(text))
        left += (finding for finding in here if not any(_allows(each, finding) for each in allowed))
        left += _about_suppressions(allowed, here, file, known)
    return tuple(sorted(dict.fromkeys(left), key=_order))


def _broken(document: YamlDocument, known: Iterable[Rule]) -> Iterator[Finding]:
    envoy = EnvoyConfig(document)
    for rule in known:
        for found in rule.check(envoy):
            location = document.locate(found.path, on_key=found.on_key)
            yield Finding(location, rule, found.message, found.fix)


def _is_marked(finding: Finding, lines: list[str]) -> bool:
    """Whether an example value has a CHANGE mark, or an anchor: kustomize and Helm write such values."""
    line = lines[finding.location.line - 1] if finding.rule.code == "AUTHZ711" and lines else ""
    return re.search(r"#\s*CHANGE\b|:\s+&\w+\s", line) is not None


def _allows(suppression: Suppression, finding: Finding) -> bool:
    return finding.location.line == suppression.about and finding.rule.code in suppression.codes


def _about_suppressions(
    allowed: tuple[Suppression, ...], found: list[Finding], file: str, known: dict[str, Rule]
) -> Iterator[Finding]:
    for each in allowed:
        place = Location(file, each.line, each.column)
        if not each.codes:
            fix = "Write `# authz-lint: allow AUTHZ304 because ...`, with the code and your reason."
            yield Finding(place, known["AUTHZ902"], "this suppression is not understood", fix)
        for code in each.codes:
            if not any(_allows(each, finding) and finding.rule.code == code for finding in found):
                yield Finding(place, known["AUTHZ903"], f"no {code} is found on line {each.about}", "Remove it.")


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.location.file, finding.location.line, finding.location.column, finding.rule.code, finding.message


def is_clean(findings: Iterable[Finding]) -> bool:
    """Whether there is nothing to fix. Notes do not count."""
    return all(finding.rule.severity is Severity.INFO for finding in findings)
