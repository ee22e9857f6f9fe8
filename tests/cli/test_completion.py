"""Shells complete the options and values of the commands. Uses each installed shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from authz.cli.completion_command import read
from authz.cli.main import build, main

_ASK_BASH = """\
source {script}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_authz
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def _script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    file = folder / f"authz.{shell}"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return file


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("authz ''", {"serve", "explain", "test", "keys", "schema", "--version"}),
        ("authz ex", {"explain"}),
        ("authz explain --", {"--envoy-config", "--policy", "--jwks", "--at"}),
        ("authz explain --output ''", {"text", "json"}),
        ("authz test --output j", {"junit", "json"}),
        ("authz completion f", {"fish"}),
        ("authz explain --envoy-config ''", {""}),
        ("authz test ''", {""}),
    ],
)
def test_bash_offers_what_fits(
    words: str, offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _script("bash", tmp_path, capsys)

    answered = set(_run("bash", "--norc", "-c", _ASK_BASH.format(script=script, words=words)).splitlines())

    assert offered <= answered
    assert len(offered) > 1 or answered == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_there(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = _script(shell, tmp_path, capsys).read_text(encoding="utf-8")

    for command in read(build()):
        assert command.name in text
        for option in command.options:
            assert all(name.lstrip("-") in text for name in option.names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_reads_the_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    _run(shell, "-n", str(_script(shell, tmp_path, capsys)))


def test_fish_offers_what_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = _script("fish", tmp_path, capsys)

    def ask(line: str) -> set[str]:
        answered = _run("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")
        return {each.partition("\t")[0] for each in answered.splitlines()}

    assert {"serve", "explain", "test"} <= ask("authz ")
    assert {"--envoy-config", "--policy"} <= ask("authz explain --")
    assert {"tap", "junit"} <= ask("authz test --output ")


def test_unknown_shell_is_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])

    assert ended.value.code == 2
