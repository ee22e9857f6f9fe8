"""`authz lint` as users and builds call it: its output and its exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from authz.cli.main import main
from authz.envoy.document import MAX_BYTES
from tests.lint.cases import CLEAN, changed

_FAILING = changed(("clear_route_cache: false", "clear_route_cache: true"))


def _file(directory: Path, text: str | bytes, name: str = "envoy.yaml") -> str:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_clean_file_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", _file(tmp_path, CLEAN)]) == 0
    assert capsys.readouterr() == ("1 file: nothing found.\n", "")


def test_findings_are_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", _file(tmp_path, _FAILING)]) == 1
    assert "error AUTHZ502" in capsys.readouterr().out


def test_notes_alone_are_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = changed(("          stat_prefix", "          of_a_later_envoy: 1\n          stat_prefix"))

    assert main(["lint", _file(tmp_path, text)]) == 0
    assert "info AUTHZ103" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"node: [", ":2:1: not YAML"),
        (b"", ":1:1: the file is empty"),
        (bytes(range(256)), "it is not UTF-8 text"),
        (b"\x00\x01", ":1:1: not YAML text"),
        (b"[" * 100_000, "nesting"),
        (b"a: " + b"x" * MAX_BYTES, f"larger than {MAX_BYTES} bytes"),
        (b"groups: []", "no Envoy configuration is in this file"),
        (b"{", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_exit_code_2(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _file(tmp_path, content)

    assert main(["lint", file]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert said in error
    assert error.startswith(file)
    assert error.count("\n") == 1


def test_a_file_that_is_not_there_is_exit_code_2_and_the_others_are_examined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["lint", str(tmp_path / "none.yaml"), str(tmp_path / "empty"), _file(tmp_path, _FAILING)]) == 2
    shown = capsys.readouterr()
    assert "none.yaml: cannot be read: No such file or directory" in shown.err
    assert "no YAML or JSON file is in this folder" in shown.err
    assert "AUTHZ502" in shown.out


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_FAILING.encode())))

    assert main(["lint", "-", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["file"] == "<stdin>"


def test_helm_output_on_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = "".join(f"    {line}\n" for line in _FAILING.splitlines())
    text = (
        "---\n# Source: shop/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\n"
        "---\n# Source: shop/templates/envoy.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: envoy }\n"
        f"data:\n  envoy.yaml: |\n{held}"
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert main(["lint", "-"]) == 1
    line = text[: text.index("clear_route_cache: true")].count("\n") + 1
    assert f"<stdin>:{line}:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "node: { cluster: {{ .Values.name }} }\n",
        "{{- if .Values.envoy }}\nnode: {}\n{{- end }}\n",
        'data:\n  envoy.yaml: |\n{{ include "envoy" . | indent 4 }}\n',
        "node:\n  cluster: {{ name }}\n",
        "{% for each in hosts %}\nnode: {}\n{% endfor %}\n",
    ],
)
def test_a_template_is_named_with_the_command_that_renders_it(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", _file(tmp_path, text)]) == 2

    said = capsys.readouterr().err
    assert "this is a template, not YAML. Render first: `helm template RELEASE CHART | authz lint -`" in said


def test_text_in_quotes_that_looks_like_a_template_is_read(tmp_path: Path) -> None:
    text = CLEAN.replace("stat_prefix: ingress", 'stat_prefix: "{{ .Values.name }}"')

    assert main(["lint", _file(tmp_path, text)]) == 0


@pytest.mark.parametrize("code", ["AUTHZ502", "authz502"])
def test_a_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--explain", code]) == 0

    out = capsys.readouterr().out
    assert out.startswith("AUTHZ502 (error): ")
    assert "# authz-lint: allow AUTHZ502 because REASON" in out


def test_an_unknown_code_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--explain", "AUTHZ52"]) == 2

    assert "Did you mean AUTHZ5" in capsys.readouterr().err


def test_missing_file_argument_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lint"])

    assert ended.value.code == 2
    assert "FILE" in capsys.readouterr().err
