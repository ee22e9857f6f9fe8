"""Write authz/envoy/message_table.json from the installed envoy-data-plane, or with --check say if it is outdated."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import betterproto2
import envoy_data_plane

from authz.envoy.message_fields import PACKAGE, TABLE, described, installed_version, name_of


def _classes() -> Iterator[type]:
    for found in walk_packages(envoy_data_plane.__path__, f"{PACKAGE}."):
        module = import_module(found.name)
        yield from (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == found.name)


def _names(enum: Any) -> list[str]:
    """The names that `from_dict` accepts."""
    return sorted(name for name in enum.__members__ if _is_accepted(enum, name))


def _is_accepted(enum: Any, name: str) -> bool:
    try:
        return enum.from_string(name) is not None
    except ValueError:
        return False


def written() -> str:
    """The table: one line per message and per enum, so that a new version makes a readable difference."""
    classes = sorted(_classes(), key=name_of)
    messages = {
        name_of(each): {name: str(field) for name, field in described(each).items()}
        for each in classes
        if issubclass(each, betterproto2.Message)
    }
    enums = {name_of(each): _names(each) for each in classes if issubclass(each, betterproto2.Enum)}
    parts = [f'"version": {json.dumps(installed_version())}', _part("enums", enums), _part("messages", messages)]
    return "{" + ",\n".join(parts) + "}\n"


def _part(title: str, rows: dict[str, Any]) -> str:
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows.items())
    return f'"{title}": {{\n{lines}\n}}'


def main() -> int:
    """Write the table, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the table is out of date")
    options = parser.parse_args()
    text = written()
    if TABLE.exists() and TABLE.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        sys.stderr.write("authz/envoy/message_table.json is out of date: run `python -m deploy.message_table`\n")
        return 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
