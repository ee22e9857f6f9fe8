"""Merge the bootstraps of several files, so that one Envoy serves all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def by_runtime(bootstraps: Iterable[Mapping[str, Any]]) -> list[list[int]]:
    """Group the indexes of bootstraps that can share an Envoy: a process has one runtime, so layers must be equal."""
    found: dict[str, list[int]] = {}
    for index, bootstrap in enumerate(bootstraps):
        runtime = json.dumps(bootstrap["layered_runtime"], sort_keys=True, default=str)
        found.setdefault(runtime, []).append(index)
    return list(found.values())


def merged(bootstraps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One bootstrap with the listeners of all. Each file keeps its own ports, routes, filters and sidecar.

    Clusters of one name are equal in all files, because every upstream of a run is the fixed upstream.
    """
    every = [each["static_resources"] for each in bootstraps]
    listeners = [listener for each in every for listener in each["listeners"]]
    clusters = {cluster["name"]: cluster for each in every for cluster in each["clusters"]}
    return {**bootstraps[0], "static_resources": {"listeners": listeners, "clusters": list(clusters.values())}}
