"""`authz init` as people use it: options, questions, an existing file, a provider that does not answer."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from authz.cli.main import build, main
from authz.tools.init.questions import ask

GOOD = ["--profile", "oidc", "--issuer", "https://idp.example.com", "--audience", "orders"]
GOOD += ["--host", "orders.example.com", "--upstream", "/orders=127.0.0.1:8080"]


def test_the_file_is_written_and_the_next_step_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "envoy.yaml"

    assert main(["init", *GOOD, "--api-only", "--output", str(file)]) == 0

    assert "policy: orders-read" in file.read_text(encoding="utf-8")
    assert capsys.readouterr().err == f"{file} is written. Next: authz lint {file}\n"


def test_an_existing_file_is_left_alone_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text("mine", encoding="utf-8")

    assert main(["init", *GOOD, "--api-only", "--output", str(file)]) == 2
    assert file.read_text(encoding="utf-8") == "mine"
    assert "--force" in capsys.readouterr().err

    assert main(["init", *GOOD, "--api-only", "--output", str(file), "--force"]) == 0
    assert file.read_text(encoding="utf-8") != "mine"


def test_an_issuer_that_does_not_answer_is_named_with_the_options_that_replace_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*GOOD, "--login", "--client-id", "web", "--issuer", "https://127.0.0.1:9/realm"]

    assert main(["init", *options, "--output", str(tmp_path / "e.yaml")]) == 2

    said = capsys.readouterr().err
    assert "--issuer 'https://127.0.0.1:9/realm' does not answer" in said
    assert "--authorization-endpoint" in said
    assert not (tmp_path / "e.yaml").exists()


@pytest.mark.parametrize(
    "url", ["http://idp.example.com/token", "https://user@idp.example.com/", "ftp://idp.example.com", "idp.example.com"]
)
def test_an_endpoint_given_as_an_option_must_be_an_https_url(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*GOOD, "--login", "--client-id", "web", "--output", str(tmp_path / "e.yaml")]
    options += ["--authorization-endpoint", "https://idp.example.com/authorize", "--token-endpoint", url]

    assert main(["init", *options]) == 2

    assert f"--token-endpoint: {url!r} cannot be used" in capsys.readouterr().err


def test_all_problems_are_named_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--profile", "oidc", "--api-only", "--output", "-"]) == 2

    said = capsys.readouterr().err
    assert all(option in said for option in ("--host", "--issuer", "--audience", "--upstream"))


def test_questions_fill_in_what_is_missing() -> None:
    said = ["cognito", "y", "ap-northeast-1_AbCdEfGhI", "web api", "login.example.com", "orders.example.com"]
    answers = iter([*said, "/a=h:1 /b=h:2"])
    options: argparse.Namespace = build().parse_args(["init"])

    ask(options, lambda _: next(answers))

    assert options.profile == "cognito"
    assert options.login is True
    assert options.client_id == ["web", "api"]
    assert options.upstream == ["/a=h:1", "/b=h:2"]
    assert not list(answers)
