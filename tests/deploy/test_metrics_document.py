"""docs/metrics.md describes every metric that a sidecar reports, with its type and labels, and no other."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.queries import Page
from tests.docs.markdown import ROOT, Block, blocks, rows

_DOCUMENT = ROOT / "docs" / "metrics.md"
_QUERIES = [block for path in sorted((ROOT / "docs").glob("*.md")) for block in blocks(path, "promql")]


def test_every_metric_is_described_with_its_type_and_labels(page_text: str) -> None:
    reported = set()
    for family in text_string_to_metric_families(page_text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        reported.add((name, family.type, frozenset(labels)))

    described = {
        (name.strip("`"), kind, frozenset(re.findall(r"\w+", labels)))
        for name, kind, labels, _meaning in rows(_DOCUMENT, "Metrics")
    }

    assert described == reported


@pytest.mark.parametrize("query", _QUERIES, ids=lambda block: block.place)
def test_query_names_only_what_a_sidecar_reports(query: Block, page: Page) -> None:
    assert page.missing(query.text) == []
