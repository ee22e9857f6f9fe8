"""The process metrics are those of real processes, one sample per process."""

from __future__ import annotations

import os
import subprocess
import sys

from prometheus_client import CollectorRegistry

from authz.observe.process_metrics import ProcessMetrics


def _samples(workers: dict[int, int]) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(lambda: workers))
    return {
        (sample.name, sample.labels["process"]): sample.value for each in registry.collect() for sample in each.samples
    }


def test_each_process_has_its_own_memory_and_start() -> None:
    program = "print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()  # before, it may not have any memory of its own
        found = _samples({0: worker.pid})
        worker.communicate(b"\n")

    start = "process_start_time_seconds"
    assert found[start, "worker-0"] >= found[start, "supervisor"]
    memory = "process_resident_memory_bytes"
    assert 0 < found[memory, "worker-0"] != found[memory, "supervisor"]
    assert ("process_cpu_seconds_total", "worker-0") in found


def test_a_process_that_has_ended_is_left_out() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert {process for _, process in _samples({0: ended.pid, 1: os.getpid()})} == {"supervisor", "worker-1"}
