"""The picture of the README: checks and requests per second, each way of protecting a route beside the others."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from bench import straight, through
from bench.peers.build import GO, RUST
from bench.promises import Tables

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

OURS, OTHERS = "#2a6f97", "#b0b7bd"


def draw(tables: Tables, path: Path) -> None:
    """Two panels of bars as a PNG."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _bars(left, tables, "straight", "checks per second, straight gRPC", _STRAIGHT)
    _bars(right, tables, "envoy", "requests per second through Envoy", _THROUGH)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
    plt.close(figure)


_PEERS = (RUST.cached, RUST.verifying, GO.cached, GO.verifying)
_STRAIGHT = (straight.KNOWN, straight.REFUSED, straight.NEW, *_PEERS, straight.PUBLIC, straight.PLAIN)
_THROUGH = (through.NOTHING, through.OWN_CACHED, through.OWN, through.KNOWN, through.REFUSED, through.NEW, *_PEERS)


def _bars(axes: Axes, tables: Tables, table: str, title: str, subjects: tuple[str, ...]) -> None:
    measured = {row.subject: row for row in tables[table].rows}
    rows = [measured[subject] for subject in reversed(subjects) if subject in measured]
    numbers = [row.middle("per_second") for row in rows]
    colours = [OURS if row.subject.startswith("authz") else OTHERS for row in rows]
    bars = axes.barh([row.subject for row in rows], numbers, color=colours)
    axes.bar_label(bars, labels=[f"{number:,.0f}" for number in numbers], padding=3, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.set_xlim(0, max(numbers) * 1.15)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
