"""The documents state the figures of the last `make bench`."""

from __future__ import annotations

import pytest

from bench import report
from bench.promises import PROMISES
from bench.results import Row, Table, read
from tests.docs.markdown import ROOT


def test_documents_say_what_the_results_say() -> None:
    """If this fails, run `python -m bench.report`."""
    assert report.main(["--check"]) == 0


@pytest.mark.parametrize("document", report.DOCUMENTS)
def test_every_marked_part_is_one_that_is_measured(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    known = report.parts(read(report.NAMES), report.ENGLISH)

    marked = {match[2] for match in report.MARKED.finditer(text)}

    assert marked
    assert marked <= set(known)


def test_every_promise_was_measured_unless_its_peer_was_missing() -> None:
    tables = read(report.NAMES)

    missing = [promise for promise in PROMISES if not promise.samples(tables)]

    assert [promise.text for promise in missing if not promise.needs] == []
    for promise in missing:
        assert promise.needs not in {row.subject for row in tables[promise.table].rows}


def test_ratio_is_taken_within_each_round() -> None:
    """A minute in which the machine is half as fast counts for both, and changes no ratio."""
    table = Table("t", "", [Row("one"), Row("other")])
    for speed in (1.0, 0.5, 1.0):
        table.row("one").add(per_second=300 * speed)
        table.row("other").add(per_second=100 * speed)

    assert table.ratios("per_second", "one", "other") == [3, 3, 3]


def test_part_between_markers_is_replaced_and_nothing_else() -> None:
    text = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"

    assert report.filled(text, {"bench": "new\n"}) == text.replace("old", "new")
