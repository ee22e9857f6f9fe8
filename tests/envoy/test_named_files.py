"""Files that the configuration names and that `serve` must have before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.core.problems import ConfigurationError
from authz.envoy.settings import read_settings
from authz.server import named_files
from tests.envoy.bootstraps import NODE, bootstrap


def _bootstrap(path: Path) -> str:
    return bootstrap(node=f"{NODE}      revocations_file: {path}\n")


def test_serve_begins_with_a_good_revocation_list(tmp_path: Path) -> None:
    path = tmp_path / "revocations.json"
    path.write_text('{"revoked": []}')

    settings = read_settings(_bootstrap(path), "f", need_endpoints=True, check_files=named_files.check)

    assert settings.configuration.revocations_file == str(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "/revocations.json': No such file or directory"),
        ("", "not JSON"),
        ('{"revoked": [{"jtii": "a"}]}', "revoked.0.jtii: unknown field 'jtii'. Did you mean `jti`?"),
    ],
    ids=["missing", "empty", "mistyped"],
)
def test_serve_does_not_begin_without_one_and_says_where_it_is_named(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    path = tmp_path / "revocations.json"
    if content is not None:
        path.write_text(content)
    text = _bootstrap(path)

    with pytest.raises(ConfigurationError) as wrong:
        read_settings(text, "envoy.yaml", need_endpoints=True, check_files=named_files.check)

    (finding,) = wrong.value.problems
    line = text[: text.index("revocations_file")].count("\n") + 1
    assert str(finding.location).endswith(f":{line}:25")
    assert problem in finding.message
    assert '`{"revoked": []}`' in finding.fix


def test_reading_a_file_for_other_ends_does_not_look_for_the_list(tmp_path: Path) -> None:
    settings = read_settings(_bootstrap(tmp_path / "elsewhere.json"), "f", need_endpoints=True)

    assert settings.configuration.revocations_file
