"""Shells complete the options and values of the commands. Uses each installed shell."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from authz.cli.completion_command import NAMED, offered, read
from authz.cli.main import build, main

_ASK_BASH = """\
source {script}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_authz
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

_ZSHRC = """\
autoload -Uz compinit && compinit -u -D
source {script}
_everything() {{ _main_complete; compstate[insert]=all }}
zle -C everything complete-word _everything
zle-line-init() {{
  BUFFER=$ASKED CURSOR=$#ASKED
  zle everything
  print -rn -- "$BUFFER" >{answer}
  BUFFER=exit
  zle accept-line
}}
zle -N zle-line-init
"""
"""Completion of zsh runs only in its line editor. This inserts every match into the line, writes the line, and ends."""

_SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
_POLICIES = {"public", "authenticated", "deny", "orders-read", "orders-write"}


def _script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    file = folder / f"authz.{shell}"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return file


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def _environment(**more: str) -> dict[str, str]:
    """The scripts ask the `authz` of the PATH for names."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def _zsh_offers(line: str, script: Path) -> set[str]:
    """What zsh puts in place of the last word. Its line editor needs a terminal."""
    answer = script.with_name("answer")
    script.with_name(".zshrc").write_text(_ZSHRC.format(script=script, answer=answer), encoding="utf-8")
    ours, theirs = pty.openpty()
    environment = _environment(ZDOTDIR=str(script.parent), ASKED=line, TERM="dumb")
    try:
        subprocess.run(
            ["zsh", "-i"],
            start_new_session=True,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            timeout=60,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    before = line[: line.rindex(" ") + 1]
    return set(answer.read_text(encoding="utf-8").removeprefix(before).split())


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


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("explain --envoy-config {file} --policy ''", _POLICIES),
        ("explain --envoy-config = {file} --policy orders-", {"orders-read", "orders-write"}),
        ("explain --token-file {other} --envoy-config {file} --policy = pu", {"public"}),
        ("explain --envoy-config {file} --policy =", _POLICIES),
        ("access {file} --who ''", {"issuer=cognito"}),
        ("access {file} --who issuer =", {"cognito"}),
        ("access {file} --who issuer = cog", {"cognito"}),
        ("explain --policy ''", set()),
        ("explain --envoy-config {other} --policy ''", set()),
        ("explain --envoy-config /no/such/file --policy ''", set()),
    ],
)
def test_bash_offers_the_names_of_the_file_on_the_line(
    words: str, answer: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _script("bash", tmp_path, capsys)
    other = tmp_path / "other.yaml"
    other.write_text("not: [envoy", encoding="utf-8")
    line = f"authz {words.format(file=_SHIPPED, other=other)}"

    answered = set(_run("bash", "--norc", "-c", _ASK_BASH.format(script=script, words=line)).split())

    assert answered == answer


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "--policy", "or", "--envoy-config", "{file}"],
        ["explain", "--envoy-config={file}", "--policy"],
        ["explain", "--envoy-config", "'{file}'", "--policy", ""],
        ["explain", "--token-file", __file__, "--envoy-config", '"{file}', "--envoy-config", "{file}"],
    ],
)
def test_the_file_is_found_as_each_shell_passes_it(words: list[str]) -> None:
    assert set(offered(["policies", *(word.format(file=_SHIPPED) for word in words)])) == _POLICIES


@pytest.mark.parametrize("name", ["orders-read", "cognito"])
def test_a_file_with_a_name_that_bash_would_run_offers_nothing(name: str, tmp_path: Path) -> None:
    text, file = _SHIPPED.read_text(encoding="utf-8"), tmp_path / "envoy.yaml"
    file.write_text(text.replace(f" {name}:", ' "$(touch x)":'), encoding="utf-8")

    assert "touch" in file.read_text(encoding="utf-8")
    assert offered(["policies", "--envoy-config", str(file)]) == []
    assert offered(["issuers", "--envoy-config", str(file)]) == []


def test_every_option_that_takes_names_exists() -> None:
    declared = {(each.name, name) for each in read(build()) for option in each.options for name in option.names}

    assert set(NAMED) <= declared


def test_fish_offers_the_names_of_the_file_on_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    line = f"authz explain --envoy-config {_SHIPPED} --policy "
    script = _script("fish", tmp_path, capsys)

    answered = _run("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")

    assert {each.partition("\t")[0] for each in answered.splitlines()} == _POLICIES


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("ex", {"explain"}),
        ("explain --output ", {"text", "json"}),
        ("explain --output=", {"--output=text", "--output=json"}),
        ("completion f", {"fish"}),
        ("explain --envoy-config {file} --policy ", _POLICIES),
        ("explain --envoy-config={file} --policy=orders-", {"--policy=orders-read", "--policy=orders-write"}),
        ("access {file} --who issuer=c", {"issuer=cognito"}),
        ("explain --envoy-config={folder}/envoy.y", {"--envoy-config={file}"}),
        ("explain --policy ", set()),
    ],
)
def test_zsh_offers_what_fits(words: str, answer: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    names = {"file": str(_SHIPPED), "folder": str(_SHIPPED.parent)}

    answered = _zsh_offers(f"authz {words.format(**names)}", _script("zsh", tmp_path, capsys))

    assert answered == {each.format(**names) for each in answer}


def test_unknown_shell_is_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])

    assert ended.value.code == 2
