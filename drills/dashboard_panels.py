"""Draws the panels of a Grafana dashboard with matplotlib: its places, titles, units and legends, with given series."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

_WIDTH_INCHES, _HEIGHT_INCHES = 0.5, 0.29
"""One unit of Grafana's grid."""

_GRID = 24
_UNITS = {"reqps": "req/s", "ops": "1/s", "s": "seconds", "percentunit": "%", "bytes": "MiB", "short": ""}
_FACTORS = {"percentunit": 100.0, "bytes": 1 / 2**20}


@dataclass(frozen=True, slots=True)
class Series:
    """One result of one query."""

    labels: Mapping[str, str]
    legend: str
    """The dashboard's `legendFormat`."""
    points: Sequence[tuple[float, float]]
    """Seconds since the start, and the value."""

    @property
    def name(self) -> str:
        """The legend with its labels filled in, as Grafana does."""
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: self.labels.get(found[1], ""), self.legend).strip()


def draw(panels: Sequence[Mapping[str, Any]], data: Sequence[Sequence[Series]], path: Path, about: str) -> None:
    """Write the picture. `data` has the series of each panel, in the panels' order."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(_GRID * _WIDTH_INCHES, rows * _HEIGHT_INCHES))
    for panel, series in zip(panels, data, strict=True):
        _panel(figure, rows, panel, series)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    plt.close(figure)
    described = PngInfo()
    described.add_text("Description", about)
    # Few colours: a third of the size.
    Image.open(drawn).convert("RGB").quantize(128).save(path, optimize=True, pnginfo=described)


def _panel(figure: Figure, rows: int, panel: Mapping[str, Any], series: Sequence[Series]) -> None:
    place = panel["gridPos"]
    left, width = (place["x"] + 1.1) / _GRID, (place["w"] - 1.6) / _GRID
    top, height = 1 - (place["y"] + 1.3) / rows, (place["h"] - 2.4) / rows
    if panel["type"] == "row":
        figure.text(0.01, 1 - (place["y"] + 0.8) / rows, panel["title"], fontsize=11, weight="bold")
        return
    axes = figure.add_axes((left, top - height, width, height))
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    axes.set_title(f"{panel['title']} ({_UNITS[unit]})" if _UNITS[unit] else panel["title"], fontsize=8, loc="left")
    if panel["type"] == "timeseries":
        stacked = "stacking" in panel["fieldConfig"]["defaults"].get("custom", {})
        _lines(axes, series, _FACTORS.get(unit, 1.0), stacked=stacked)
        return
    axes.axis("off")
    if panel["type"] == "stat":
        value = series[0].points[-1][1] * _FACTORS.get(unit, 1.0)
        axes.text(0.5, 0.4, f"{value:.3g}", fontsize=18, ha="center", va="center", color="#2a6f97")
        return
    rows_of_table = [f"{', '.join(f'{k} {v}' for k, v in s.labels.items())}: {s.points[-1][1]:g}" for s in series]
    axes.text(0, 0.9, "\n".join(rows_of_table), fontsize=8, va="top")


def _lines(axes: Axes, series: Sequence[Series], factor: float, *, stacked: bool) -> None:
    if stacked:
        times = sorted({time for each in series for time, _ in each.points})
        values = [[dict(each.points).get(time, 0.0) * factor for time in times] for each in series]
        axes.stackplot(times, values, labels=[each.name for each in series], alpha=0.7)
    else:
        for each in series:
            marker = "." if len(each.points) == 1 else ""
            axes.plot(*zip(*((t, v * factor) for t, v in each.points), strict=True), marker=marker, label=each.name)
    axes.tick_params(labelsize=6)
    axes.grid(visible=True, color="#e3e6e9", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    columns = 2 if len(series) > 4 else 1
    # Room for the legend above the highest value.
    axes.set_ylim(0, (axes.dataLim.y1 or 1.0) / (0.94 - 0.085 * -(-len(series) // columns)))
    axes.legend(fontsize=6, loc="upper left", framealpha=0.7, ncols=columns)
