"""docs/access.md names what `make access` compares."""

from __future__ import annotations

import re
from pathlib import Path

from tests.access import planted_in_issuers, planted_in_policies, planted_in_routes
from tests.access.other_forms import FORMS

_PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")


def _listed(row: str) -> list[str]:
    found = re.search(rf"^\| {row} \| (.+) \|$", _PAGE, re.MULTILINE)
    assert found is not None
    return found[1].split("; ")


def test_every_planted_kind_is_on_the_page() -> None:
    for row, kinds in {
        "policies": planted_in_policies.KINDS,
        "issuers": planted_in_issuers.KINDS,
        "routes": planted_in_routes.KINDS,
    }.items():
        assert _listed(row) == [kind.name for kind in kinds]


def test_every_form_is_on_the_page() -> None:
    assert [*_listed("routes and hosts"), *_listed("policies and issuers")] == list(FORMS)
