"""`authz test` as people run it: the shipped example passes both ways, and a failure has its line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from authz.cli.main import main

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = DEPLOY / "policy_tests.yaml"

_FAILING = """\
envoy_config: envoy.yaml
tests:
- name: wrong reason
  request: GET https://orders.example.com/orders
  policy: orders-read
  expect: ok
- name: wrong policy & <header>
  request: POST https://orders.example.com/orders
  policy: orders-read
  token: { claims: { scope: orders/read } }
  expect: { headers: { x-auth-issuer: other, x-auth-subject: null } }
- name: "right #1"
  policy: "{optional: true}"
  expect: anonymous
"""


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    shutil.copy(DEPLOY / "envoy.yaml", tmp_path)
    file = tmp_path / "failing.yaml"
    file.write_text(_FAILING, encoding="utf-8")
    return file


def test_shipped_example_passes_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(EXAMPLE)]) == 0
    assert "29 tests, 0 failed, 2 skipped" in capsys.readouterr().out


def test_shipped_example_passes_through_envoy_and_reaches_every_route_and_policy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["test", "--envoy", "--output", "json", str(EXAMPLE)]) == 0
    report = json.loads(capsys.readouterr().out)

    unreached = report["unreached"][str(DEPLOY / "envoy.yaml")]
    assert sum(test["through_envoy"] for test in report["tests"]) == report["count"] == 29
    assert unreached["routes"] == unreached["policies"] == []
    assert unreached["policies_never_refused"] == unreached["policies_never_forwarded"] == []


def test_both_ways_come_to_the_same_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for arguments in ([], ["--envoy"]):
        main(["test", *arguments, "--output", "json", str(EXAMPLE)])
        tests = json.loads(capsys.readouterr().out)["tests"]
        reports.append([(test["name"], test["reason"], test["policy"]) for test in tests if test["reason"]])

    assert reports[0] == reports[1]


def test_failure_is_1_and_says_where_what_and_why(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(failing)]) == 1
    out = capsys.readouterr().out

    assert f"{failing}:3:3: reason is token_missing, expected ok" in out
    assert "header x-auth-issuer is 'cognito', expected 'other'" in out
    assert "header x-auth-subject is 'test-subject', expected none" in out
    assert "3 tests, 2 failed" in out


def test_route_that_names_another_policy_than_the_test_fails(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--envoy", str(failing)]) == 1

    assert "the route names the policy orders-write, the test expects orders-read" in capsys.readouterr().out


def test_a_test_without_a_policy_is_skipped_unless_envoy_runs(
    failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = failing.with_name("t.yaml")
    file.write_text(
        "envoy_config: envoy.yaml\ntests:\n- {name: a, request: GET https://a/, expect: ok}", encoding="utf-8"
    )

    assert main(["test", str(file)]) == 0
    assert "1 tests, 0 failed, 1 skipped" in capsys.readouterr().out


def test_a_test_can_expect_an_unknown_policy(failing: Path) -> None:
    file = failing.with_name("t.yaml")
    file.write_text(
        "envoy_config: envoy.yaml\ntests:\n- {name: a, policy: gone, expect: policy_invalid}", encoding="utf-8"
    )

    assert main(["test", str(file)]) == 0


@pytest.mark.parametrize(("least", "code"), [("50", 0), ("50.1", 1)])
def test_coverage_below_the_threshold_is_1(
    failing: Path, least: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the two policies, each is only refused."""
    file = failing.with_name("t.yaml")
    file.write_text(
        "envoy_config: envoy.yaml\ntests:\n"
        "- {name: a, policy: orders-read, expect: token_missing}\n"
        "- {name: b, policy: orders-write, expect: token_missing}\n",
        encoding="utf-8",
    )

    assert main(["test", "--min-coverage", least, str(file)]) == code

    shown = capsys.readouterr()
    assert "coverage 50 %" in shown.out
    assert ("is below 50.1 %" in shown.err) is bool(code)


def test_what_no_test_reaches_is_listed(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["test", "--envoy", str(failing)])
    out = capsys.readouterr().out

    shipped = (Path(__file__).parents[2] / "deploy" / "envoy.yaml").read_text(encoding="utf-8")
    line = shipped[: shipped.index("match: { path: /healthz }")].count("\n") + 1
    assert f"envoy.yaml:{line}:17: no test reaches this route" in out
    assert "no test is let through by orders-read, orders-write" in out
    assert "no test meets the reasons ok, public, " in out


@pytest.mark.parametrize("output", ["text", "tap"])
def test_login_that_did_not_run_is_said_with_what_that_means(
    output: str, failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["test", "--envoy", "--output", output, str(failing)])
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "Envoy ran without" in line]

    assert "envoy.filters.http.oauth2" in said
    assert "redirect where a token is missing" in said
    main(["test", "--output", output, str(failing)])
    assert "Envoy ran without" not in capsys.readouterr().out


def test_tap_and_junit_are_well_formed(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["test", "--output", "tap", str(failing), str(EXAMPLE)])
    tap = capsys.readouterr().out.splitlines()
    main(["test", "--output", "junit", str(failing), str(EXAMPLE)])
    junit = ET.fromstring(capsys.readouterr().out)  # noqa: S314 - written a line above

    assert tap[:2] == ["TAP version 14", "1..32"]
    assert "ok 3 - right \\#1" in tap
    assert sum(line.startswith("not ok ") for line in tap) == 2
    assert sum(line.endswith("# SKIP needs --envoy") for line in tap) == 2
    suites = junit.findall("testsuite")
    assert [suite.get("failures") for suite in suites] == ["2", "0"]
    assert len(junit.findall(".//testcase")) == 32
    assert len(junit.findall(".//skipped")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not YAML"),
        ("tests:\n- {name: a, policy: p, expect: ok}", "names no Envoy YAML"),
        ("envoy_config: nowhere.yaml\ntests:\n- {name: a, policy: p, expect: ok}", "nowhere.yaml: cannot be read"),
        ("envoy_config: failing.yaml\ntests:\n- {name: a, policy: p, expect: ok}", "node is missing"),
        (
            "envoy_config: envoy.yaml\ntests:\n- {name: a, policy: ordres-read, expect: ok}",
            "t.yaml:3:21: no policy is called 'ordres-read'. Did you mean `orders-read`?",
        ),
        (
            'envoy_config: envoy.yaml\ntests:\n- {name: a, policy: "{scpoes: [a]}", expect: ok}',
            "t.yaml:3:21: ",
        ),
        (
            "envoy_config: envoy.yaml\ntests:\n- {name: a, policy: p, token: {issuer: x}, expect: ok}",
            "t.yaml:3:3: no issuer is called 'x': there are cognito",
        ),
        (
            "envoy_config: envoy.yaml\ntests:\n- {name: a, policy: p, token: {file: x}, expect: ok}",
            "its token cannot be read",
        ),
        ("envoy_config: envoy.yaml\njwks: {cognito: envoy.yaml}\ntests:\n- {name: a, policy: p, expect: ok}", "jwks: "),
        (
            "envoy_config: envoy.yaml\njwks: {cognito: x}\ntests:\n- {name: a, policy: p, expect: ok}",
            "x cannot be read",
        ),
    ],
)
def test_invalid_suite_is_one_sentence_and_exit_code_2(
    failing: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = failing.with_name("t.yaml")
    file.write_text(text, encoding="utf-8")

    code = main(["test", str(file)])
    captured = capsys.readouterr()

    assert (code, captured.out) == (2, "")
    assert said in captured.err


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00", b"x" * 5_000_000])
def test_binary_and_huge_files_are_a_sentence_and_2(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(content)

    assert main(["test", str(file)]) == 2
    assert capsys.readouterr().err.startswith("authz test: ")


def test_envoy_that_is_not_there_is_a_sentence_and_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["test", "--envoy", str(EXAMPLE)]) == 2
    assert "Envoy is not installed" in capsys.readouterr().err
