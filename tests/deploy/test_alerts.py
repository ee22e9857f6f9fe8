"""deploy/prometheus: the alerts are right, tested, explained, and ask for what a sidecar really reports."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.queries import Page

_FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
_RULES = [rule for group in yaml.safe_load((_FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
_TESTS = yaml.safe_load((_FOLDER / "alerts_test.yaml").read_text())


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("promtool") or pytest.skip("no promtool on PATH (Debian: apt-get install prometheus)")
    return subprocess.run([tool, *arguments], check=False, capture_output=True, text=True, cwd=_FOLDER, timeout=120)


def test_promtool_accepts_the_rules() -> None:
    result = _promtool("check", "rules", "alerts.yaml")

    assert result.returncode == 0, result.stderr
    assert f"{len(_RULES)} rules found" in result.stdout


def test_every_alert_fires_and_stays_silent_as_its_test_says() -> None:
    result = _promtool("test", "rules", "alerts_test.yaml")

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    fires = {case["alertname"] for group in _TESTS["tests"] for case in group["alert_rule_test"] if case["exp_alerts"]}

    assert {rule["alert"] for rule in _RULES} == fires


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_alert_names_only_metrics_and_label_values_that_a_sidecar_has(rule: dict[str, str], page: Page) -> None:
    assert page.missing(rule["expr"]) == []


def test_series_of_the_tests_are_ones_that_a_sidecar_has(page: Page) -> None:
    series = [one["series"] for group in _TESTS["tests"] for one in group["input_series"]]

    assert [missing for one in series for missing in page.missing(one)] == []


def test_every_alert_has_a_row_in_the_readme_with_its_severity() -> None:
    rows = re.findall(
        r"^\| <a id=\"\w+\"></a>(Authz\w+) \| (\w+) \|", (_FOLDER / "README.md").read_text(), re.MULTILINE
    )

    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in _RULES]


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_runbook_url_leads_to_the_row_of_the_alert(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")

    assert page.endswith("/prometheus/README.md")
    assert f'| <a id="{anchor}"></a>{rule["alert"]} |' in (_FOLDER / "README.md").read_text()
