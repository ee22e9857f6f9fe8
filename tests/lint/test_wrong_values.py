"""Values of the wrong kind anywhere: findings, or ConfigurationError, and never anything else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.core.problems import ConfigurationError, Path
from authz.envoy.typed import message_of
from authz.tools.demo.requirements import shipped_envoy_yaml
from authz.tools.lint.examine import examine
from authz.tools.lint.rules.filter_order import CHANGES

_SHIPPED = yaml.safe_load(shipped_envoy_yaml())
_STRANGE: list[Any] = [
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "public",
    [],
    {},
    [[]],
    [{}],
    {"a": 1},
    [None],
    10**30,
    {"x": {"y": []}},
]


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


_PATHS = list(_paths(_SHIPPED))


def _changed(path: Path, strange: object) -> str:
    data: Any = copy.deepcopy(_SHIPPED)
    below = data
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = strange
    return json.dumps(data)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(_PATHS), st.sampled_from(_STRANGE))
def test_a_strange_value_anywhere_in_the_shipped_file_crashes_nothing(path: Path, strange: object) -> None:
    try:
        found = examine(_changed(path, strange), "f")
    except ConfigurationError as unreadable:
        found = ()
        problem = unreadable.problems[0].message
    else:
        problem = ""

    assert all(finding.location.line >= 1 for finding in found)
    assert problem in {"", "no Envoy configuration is in this file"}


@pytest.mark.parametrize("name", ["headers_with_underscores_action", "path_with_escaped_slashes_action"])
@pytest.mark.parametrize("strange", [[], {}])
def test_a_word_that_is_a_list_or_a_mapping_crashes_nothing(name: str, strange: object) -> None:
    path = next(path for path in _PATHS if path[-1] == name)

    assert {finding.rule.code for finding in examine(_changed(path, strange), "f")} >= {"AUTHZ103"}


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if not kind.startswith("golang.")])
def test_every_filter_that_is_known_to_change_requests_is_a_filter_of_envoys(kind: str) -> None:
    """The Golang filter is one of Envoy's contrib extensions, which the package leaves out."""
    assert message_of(f"type.googleapis.com/envoy.extensions.filters.http.{kind}") is not None
