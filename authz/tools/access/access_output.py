"""Format who can reach what as text, JSON or Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence

from authz.tools.access.access_report import RegionAccess
from authz.tools.access.example_words import claims_of, example_in_words
from authz.tools.access.regions.route_checks import Kind
from authz.tools.review_formats import code_lines, table_row

_NOBODY = ("nobody",)
_NO_UPSTREAM = ("nobody: Envoy answers, and no upstream is reached",)


def as_text(found: Sequence[RegionAccess], remarks: Sequence[str]) -> str:
    """A paragraph for each region, then remarks about the whole file."""
    return "".join(map(_paragraph, found)) + "".join(f"{each}\n" for each in remarks) + f"{len(found)} regions\n"


def as_json(found: Sequence[RegionAccess], remarks: Sequence[str]) -> str:
    """One object for each region."""
    return json.dumps({"regions": list(map(_object, found)), "remarks": list(remarks)}, indent=2) + "\n"


def as_markdown(found: Sequence[RegionAccess], remarks: Sequence[str]) -> str:
    """A table."""
    lines = ["| requests | policy | who | remarks |", "|---|---|---|---|"]
    for each in found:
        who = "\n".join(_who(each))
        cells = (code_lines(each.region.requests.describe()), each.policy, who, "\n".join(_remarks(each)))
        lines.append(table_row(cells))
    return "\n".join([*lines, "", *(f"- {each}" for each in remarks)]).rstrip() + "\n"


def _paragraph(about: RegionAccess) -> str:
    place = about.region.route
    lines = [
        about.region.requests.describe(),
        f"  route: {place.file}:{place.line} {place.name}",
        f"  policy: {about.policy}",
    ]
    lines += [f"  who: {way}" for way in _who(about)]
    if about.example is not None and about.example.token is not None:
        lines.append(f"  example: {example_in_words(about.example)}")
    lines += [f"  note: {each}" for each in _remarks(about)]
    return "\n".join(lines) + "\n"


def _who(about: RegionAccess) -> tuple[str, ...]:
    if about.undecided:
        return ()
    return about.ways or (_NO_UPSTREAM if about.region.attachment.kind is Kind.ANSWERED else _NOBODY)


def _remarks(about: RegionAccess) -> tuple[str, ...]:
    return (f"undecided: {about.undecided}",) if about.undecided else about.remarks


def _object(about: RegionAccess) -> dict[str, object]:
    place = about.region.route
    return {
        "requests": about.region.requests.describe().split("\n"),
        "route": {"name": place.name, "file": place.file, "line": place.line},
        "policy": about.policy,
        "who": list(about.ways),
        "example": None if about.example is None else {"kind": about.example.kind, "claims": claims_of(about.example)},
        "remarks": list(about.remarks),
        "undecided": about.undecided or None,
    }


OUTPUTS = {"text": as_text, "json": as_json, "markdown": as_markdown}
