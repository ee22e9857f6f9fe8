"""The `process_*` metrics of the supervisor and of each worker, with the client library's own names.

The library reads /proc. On a system without /proc there are no such metrics.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SUPERVISOR = "supervisor"


class ProcessMetrics(Collector):
    """CPU time, memory, file descriptors and start time, with the label `process`."""

    def __init__(self, workers: Callable[[], Mapping[int, int]]) -> None:
        """`workers` returns the process id of each worker by its number."""
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with a sample per process. A process that has just ended is left out."""
        processes = {SUPERVISOR: os.getpid()} | {
            f"worker-{number}": pid for number, pid in sorted(self._workers().items())
        }
        families: dict[str, Metric] = {}
        for name, pid in processes.items():
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                family.samples += [
                    sample._replace(labels={**sample.labels, "process": name}) for sample in metric.samples
                ]
        yield from families.values()
