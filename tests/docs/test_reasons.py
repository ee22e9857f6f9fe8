"""docs/reasons.md says for every reason what to do."""

from __future__ import annotations

from authz.core.reasons import Reason
from tests.docs.markdown import ROOT, headings


def test_every_reason_has_its_section_in_the_order_of_the_table() -> None:
    by_order = [f"`{reason.row.label}`" for reason in Reason]

    written = [text for level, text in headings(ROOT / "docs" / "reasons.md") if level == 3]

    assert sorted(written) == sorted(by_order)
