"""docs/dependencies.md has one line for each dependency, and no others."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.markdown import ROOT, rows

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]
_GROUPS = {"At run time": _PROJECT["dependencies"]} | {f"Extra `{name}`": extra for name, extra in _EXTRAS.items()}


@pytest.mark.parametrize("heading", _GROUPS)
def test_every_dependency_is_justified_in_one_line(heading: str) -> None:
    declared = [re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0] for requirement in _GROUPS[heading]]

    justified = rows(ROOT / "docs" / "dependencies.md", heading)

    assert [name.strip("`") for name, _why in justified] == declared
    assert all(why.endswith(".") for _name, why in justified)
