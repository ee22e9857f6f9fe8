"""One set of findings in every form."""

from __future__ import annotations

import json

from authz.tools.lint.examine import examine, rules
from authz.tools.lint.output import FORMATS
from tests.lint.cases import changed

_FINDINGS = examine(changed(("clear_route_cache: false", "clear_route_cache: true")), "dir/en,voy:1%.yaml")
_LINE = _FINDINGS[0].location.line


def _shown(form: str, *, nothing: bool = False) -> str:
    return FORMATS[form](() if nothing else _FINDINGS, 1, rules())


def test_text_is_one_line_a_finding_and_a_count() -> None:
    first, last = _shown("text").splitlines()

    assert first.startswith(f"dir/en,voy:1%.yaml:{_LINE}:34: error AUTHZ502: the route that is served")
    assert first.endswith("Write `clear_route_cache: false`.")
    assert last == "1 file: 1 error. `docs/lint.md` explains each code."
    assert _shown("text", nothing=True) == "1 file: nothing found.\n"


def test_json_has_a_field_for_each_part() -> None:
    (found,) = json.loads(_shown("json"))["findings"]

    assert (found["file"], found["line"], found["column"]) == ("dir/en,voy:1%.yaml", _LINE, 34)
    assert (found["code"], found["severity"]) == ("AUTHZ502", "error")
    assert found.keys() == {"file", "line", "column", "code", "severity", "title", "problem", "fix"}
    assert json.loads(_shown("json", nothing=True)) == {"findings": []}


def test_github_commands_are_escaped() -> None:
    assert _shown("github").startswith(f"::error file=dir/en%2Cvoy%3A1%25.yaml,line={_LINE},col=34,title=AUTHZ502::")
    assert _shown("github", nothing=True) == ""


def test_sarif_names_every_rule_and_each_result_its_own() -> None:
    log = json.loads(_shown("sarif"))
    (run,) = log["runs"]
    (result,) = run["results"]

    assert log["version"] == "2.1.0"
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == list(rules())
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "AUTHZ502"
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": _LINE, "startColumn": 34}
    assert json.loads(_shown("sarif", nothing=True))["runs"][0]["results"] == []
