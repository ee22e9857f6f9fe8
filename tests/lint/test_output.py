"""One set of findings in every form."""

from __future__ import annotations

import json

from authz.core.problems import Location, Problem
from authz.tools.lint.examine import examine, rules
from authz.tools.lint.output import FORMATS, Report, Unreadable
from tests.lint.cases import changed

_FINDINGS = examine(changed(("clear_route_cache: false", "clear_route_cache: true")), "dir/en,voy:1%.yaml")
_LINE = _FINDINGS[0].location.line


def _shown(form: str, *, nothing: bool = False) -> str:
    return FORMATS[form](Report(() if nothing else _FINDINGS, 1, rules()))


def test_text_is_one_line_a_finding_and_a_count() -> None:
    first, last = _shown("text").splitlines()

    assert first.startswith(f"dir/en,voy:1%.yaml:{_LINE}:34: error AUTHZ502: the route that is served")
    assert first.endswith("Write `clear_route_cache: false`.")
    assert last == "1 file: 1 error. `authz lint --explain AUTHZ502` explains a code."
    assert _shown("text", nothing=True) == "1 file: nothing found.\n"


def test_json_has_a_field_for_each_part() -> None:
    (found,) = json.loads(_shown("json"))["findings"]

    assert (found["file"], found["line"], found["column"]) == ("dir/en,voy:1%.yaml", _LINE, 34)
    assert (found["code"], found["severity"]) == ("AUTHZ502", "error")
    assert found.keys() == {"file", "line", "column", "code", "severity", "title", "problem", "fix"}
    assert json.loads(_shown("json", nothing=True)) == {"findings": [], "unreadable": []}


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


_UNREADABLE = (
    Unreadable("gone.yaml", Problem((), "cannot be read: No such file or directory", "Name an Envoy YAML.")),
    Unreadable("a.yaml", Problem((), "not YAML: a tab", "Use spaces.", location=Location("a.yaml", 3, 2))),
)


def test_unreadable_files_are_in_every_form_for_machines() -> None:
    report = Report((), 0, rules(), _UNREADABLE)

    message = "cannot be read: No such file or directory. Name an Envoy YAML."
    assert FORMATS["github"](report).splitlines() == [
        f"::error file=gone.yaml,line=1,col=1,title=unreadable::{message}",
        "::error file=a.yaml,line=3,col=2,title=unreadable::not YAML: a tab. Use spaces.",
    ]
    unreadable = json.loads(FORMATS["json"](report))["unreadable"]
    assert [(each["file"], each["line"]) for each in unreadable] == [("gone.yaml", 1), ("a.yaml", 3)]
    (run,) = json.loads(FORMATS["sarif"](report))["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][1]["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_sarif_explains_each_rule_and_links_to_published_documents() -> None:
    report = Report((), 1, rules(), docs_url="https://git.example.com/authz/docs/")

    described = json.loads(FORMATS["sarif"](report))["runs"][0]["tool"]["driver"]["rules"]

    assert all(each["help"]["text"].startswith(each["id"]) for each in described)
    assert all(
        each["helpUri"] == f"https://git.example.com/authz/docs/lint.md#{each['id'].lower()}" for each in described
    )
    assert all("helpUri" not in each for each in json.loads(_shown("sarif"))["runs"][0]["tool"]["driver"]["rules"])
