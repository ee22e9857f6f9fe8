"""The values of the Helm chart as a table: names and defaults from values.yaml, types and meanings from the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from deploy.generate import DEPLOY, SCHEMA


def rows() -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of every value that has no values below it."""
    schema = json.loads((DEPLOY / SCHEMA).read_text(encoding="utf-8"))
    defaults = yaml.safe_load(((DEPLOY / SCHEMA).with_name("values.yaml")).read_text(encoding="utf-8"))
    yield from _below("", schema, defaults)


def _below(prefix: str, schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in schema["properties"].items():
        path = f"{prefix}{name}"
        if isinstance(defaults.get(name), dict) and "properties" in value:
            yield from _below(f"{path}.", value, defaults[name])
        elif name in defaults:
            yield f"`{path}`", f"`{json.dumps(defaults[name])}`", value["description"] + _bounds(value)
        elif path != "global":
            yield f"`{path}`", "", value["description"]


def _bounds(value: Mapping[str, Any]) -> str:
    return f" {value['minimum']} to {value['maximum']}." if "minimum" in value else ""
