"""Rows that were measured elsewhere are read strictly, and every error says where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.peers.external import BadFile, External, read
from bench.report import ratio_cells
from bench.results import Table

ROW = {
    "subject": "a server",
    "table": "envoy",
    "against": "Envoy's jwt_authn + rbac",
    "measured": "2026-11-25, 2 cores",
    "ratios": {"per_second": [0.2, 0.4, 0.3]},
}


def test_row_of_the_file_is_printed_below_the_measured_ones(tmp_path: Path) -> None:
    file = tmp_path / "external.json"
    file.write_text(json.dumps({"rows": [ROW]}), encoding="utf-8")

    line = ratio_cells(Table("envoy", ""), read(file))[-1]

    assert line == ["a server (elsewhere: 2026-11-25, 2 cores)", "0.30 x [0.25 to 0.35]"]


def test_absent_file_has_no_rows(tmp_path: Path) -> None:
    nothing: list[External] = []

    assert read(tmp_path / "external.json") == nothing


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"table": "other"}, "row 1: `table` must be one of straight, envoy"),
        ({"subject": ""}, "row 1: `subject` must be a text"),
        ({"scores": 1}, "row 1: unknown field `scores`"),
        ({"ratios": {}}, "row 1: `ratios` must be an object"),
        ({"ratios": {"speed": [1]}}, "row 1: unknown ratio `speed`"),
        ({"ratios": {"per_second": [0]}}, "`ratios.per_second` must be a list of numbers above 0"),
        ({"ratios": {"per_second": [True]}}, "`ratios.per_second` must be a list of numbers above 0"),
    ],
    ids=str,
)
def test_row_of_another_shape_is_refused_with_its_place(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    file = tmp_path / "external.json"
    file.write_text(json.dumps({"rows": [ROW | changed]}), encoding="utf-8")

    with pytest.raises(BadFile, match=r"external\.json") as error:
        read(file)

    assert told in str(error.value)
