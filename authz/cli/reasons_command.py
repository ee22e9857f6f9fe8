"""`authz reasons`: print the reason table as text, JSON or the Markdown of docs/reasons.md."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from authz.core.reasons import Reason, Row

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_HEADINGS = ("reason", "outcome", "HTTP", "RFC 6750 error", "meaning")


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("reasons", help="list every reason a request is forwarded or refused for")
    parser.add_argument("--output", choices=("text", "json", "markdown"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    rows = [reason.row for reason in Reason]
    sys.stdout.write({"text": _text, "json": _json, "markdown": _markdown}[options.output](rows))
    return 0


def _text(rows: list[Row]) -> str:
    return "".join(f"{row.label:24} {_status(row):8} {row.meaning}\n" for row in rows)


def _json(rows: list[Row]) -> str:
    fields = ("label", "outcome", "http_status", "error", "text", "meaning")
    return json.dumps([{name: getattr(row, name) for name in fields} for row in rows], indent=2) + "\n"


def _markdown(rows: list[Row]) -> str:
    lines = [" | ".join(_HEADINGS), " | ".join("---" for _ in _HEADINGS)]
    lines += [" | ".join((f"`{row.label}`", row.outcome, _status(row), row.error, row.meaning)) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def _status(row: Row) -> str:
    return "forward" if row.outcome == "allow" else str(row.http_status)
