"""The table of Envoy's messages says what the classes of envoy-data-plane say, and is enough for the shipped file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.envoy import message_fields
from authz.envoy.message_fields import TABLE, MessageField, class_of, described, fields_of, installed_version
from authz.envoy.typed import field_problems, is_duration, is_plain

_ROOTS = (
    "envoy.config.bootstrap.v3.Bootstrap",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    "envoy.extensions.filters.http.oauth2.v3.OAuth2",
)
_TABLE: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
_ONE_OF_EACH: dict[str, Callable[[object], object]] = {
    "list": lambda value: [value],
    "map": lambda value: {"k": value},
    "": lambda value: value,
}


def _reached() -> Iterator[tuple[str, str, MessageField]]:
    """Every field that is reached from the roots without an Any: its message, name and type."""
    waiting, seen = list(_ROOTS), set(_ROOTS)
    while waiting:
        message = waiting.pop()
        for name, field in fields_of(message).items():
            yield message, name, field
            if field.type == "message" and field.kind not in seen:
                seen.add(field.kind)
                waiting.append(field.kind)


def test_table_is_of_the_installed_version_and_has_every_type_that_it_names() -> None:
    fields = [text.split(":") for row in _TABLE["messages"].values() for text in row.values()]

    assert _TABLE["version"] == installed_version()
    assert {field[1] for field in fields if field[0] == "message"} <= set(_TABLE["messages"])
    assert {field[1] for field in fields if field[0] == "enum"} <= set(_TABLE["enums"])


def test_table_has_the_fields_of_the_installed_classes() -> None:
    reached = {message for message, _, _ in _reached()}

    assert len(reached) > 200
    for message in reached:
        assert fields_of(message) == described(class_of(message)), message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_value_that_needs_no_try_is_one_that_the_class_takes() -> None:
    tried: set[MessageField] = set()
    for message, name, field in _reached():
        if field in tried or field.type == "message":
            continue
        tried.add(field)
        values = _TABLE["enums"][field.kind] if field.type == "enum" else ["", "x y", True, 0, 1, 2**31 - 1, 0.0, 1.5]
        for value in values:
            if is_plain(field, value):
                class_of(message).from_dict({name: _ONE_OF_EACH[field.form](value)})
    assert {"enum", "string", "bool", "uint32", "int64", "double"} <= {field.type for field in tried}


@given(st.from_regex(r"[0-9]{1,10}(\.[0-9]{0,10})?s?", fullmatch=True))
def test_every_duration_that_needs_no_try_is_one_that_the_class_takes(text: str) -> None:
    if is_duration(text):
        class_of("google.protobuf.Duration").from_dict(text)


@pytest.mark.parametrize(
    "value",
    [
        {"admin": {"acess_log_path": "/dev/null"}},
        {"stats_flush_interval": "soon"},
        {"stats_flush_interval": "5s", "node": ["a"], "static_resources": {"listeners": {"name": "x"}}},
        {"static_resources": {"clusters": [{"name": "a", "lb_policy": "ROUND"}, {"name": 1, "type": "STATIC"}]}},
        {"staticResources": {"clusters": [{"connectTimeout": "1s", "perConnectionBufferLimitBytes": -1}]}},
        {"static_resources": {"listeners": [{"per_connection_buffer_limit_bytes": 1, "filter_chains": {}}]}},
    ],
)
def test_another_installed_version_is_read_from_its_classes(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    by_table = list(field_problems(_ROOTS[0], value))
    caches = (message_fields._table, message_fields.fields_of, message_fields.enum_names, message_fields.is_message)
    with monkeypatch.context() as other:
        other.setattr(message_fields, "installed_version", lambda: "2.999")
        for each in caches:
            each.cache_clear()
        by_class = list(field_problems(_ROOTS[0], value))
    for each in caches:
        each.cache_clear()

    assert by_table
    assert by_class == by_table


def test_lint_of_the_shipped_file_imports_no_message_class() -> None:
    code = (
        "import sys; from authz.cli.main import main; assert main(['lint', 'deploy/envoy.yaml']) == 0;"
        "sys.exit(sorted(name for name in sys.modules if name.startswith(('envoy_data_plane', 'pydantic'))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
