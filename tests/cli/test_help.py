"""Help texts: examples and exit codes for every command, colours only if wanted, fast start."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from authz.cli.main import main
from authz.terminal import Style, patience
from tests.fakes.waiting import until

_TOOLS = ("check", "explain", "test", "health", "keys", "schema", "completion")


@pytest.mark.parametrize("tool", _TOOLS)
def test_help_has_examples_and_exit_codes(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([tool, "--help"])

    out = capsys.readouterr().out
    assert f"authz {tool}" in out.partition("examples:")[2]
    assert "exit codes: 0" in out


@pytest.mark.parametrize("tool", _TOOLS)
def test_help_loads_neither_yaml_nor_grpc_nor_keys(tool: str) -> None:
    program = (
        "import sys, contextlib\n"
        "from authz.cli.main import main\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    main(['{tool}', '--help'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"yaml", "grpc", "google", "jwt", "cryptography", "envoy_data_plane", "prometheus_client"}


def test_authz_alone_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    assert "lint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "meant"), [("lnit", "Did you mean `authz lint`?"), ("chek", "`authz check`"), ("zzz", "The commands are")]
)
def test_a_mistyped_command_names_the_nearest(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word, "envoy.yaml"])

    assert ended.value.code == 2
    assert meant in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("no_color", "term", "stream", "is_coloured"),
    [
        ("", "xterm", _Terminal(), True),
        ("1", "xterm", _Terminal(), False),
        ("", "dumb", _Terminal(), False),
        ("", "xterm", io.StringIO(), False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str, term: str, stream: io.StringIO, *, is_coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)

    assert ("\x1b" in Style.of(stream).bad("x")) is is_coloured


def test_what_takes_long_says_what_it_does_and_what_is_quick_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = _Terminal(), _Terminal()

    with patience("nothing much", quick):
        pass
    monkeypatch.setattr("authz.terminal.PATIENCE_SECONDS", 0.0)
    with patience("fetching", slow):
        until(slow.getvalue)

    assert quick.getvalue() == ""
    assert slow.getvalue() == "fetching …\n"
