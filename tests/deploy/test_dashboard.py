"""deploy/grafana: every query of the dashboard asks for something that a sidecar really reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.queries import Page

_DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "grafana" / "authz.json").read_text(encoding="utf-8")
)
_PANELS = [panel for panel in _DASHBOARD["panels"] if panel["type"] != "row"]


def _expressions() -> list[str]:
    queries = [target["expr"] for panel in _PANELS for target in panel["targets"]]
    annotations = [annotation["expr"] for annotation in _DASHBOARD["annotations"]["list"]]
    variables = [one["definition"] for one in _DASHBOARD["templating"]["list"] if one["type"] == "query"]
    return [*queries, *annotations, *variables]


def test_queries_name_only_metrics_and_label_values_that_a_sidecar_has(page: Page) -> None:
    assert {expression: missing for expression in _expressions() if (missing := page.missing(expression))} == {}


def test_every_metric_of_the_sidecar_is_shown(page: Page) -> None:
    families = {name for name in page.metrics if name.endswith("_total") or f"{name}_total" not in page.metrics}
    shown = " ".join(_expressions())

    hidden = {name for name in families if name not in shown and not name.endswith(("_sum", "_count", "_created"))}

    assert hidden <= {
        "authz_check_duration_seconds",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }


@pytest.mark.parametrize("variable", ["$job", "$namespace", "$pod"])
def test_every_query_can_be_limited_to_one_job_namespace_and_pod(variable: str) -> None:
    unlimited = [target["expr"] for panel in _PANELS for target in panel["targets"] if variable not in target["expr"]]

    assert [expression for expression in unlimited if "ALERTS" not in expression] == []


def test_panels_have_titles_and_do_not_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in _DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert all(panel["title"] for panel in _PANELS)
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in _DASHBOARD["panels"]}) == len(_DASHBOARD["panels"])
