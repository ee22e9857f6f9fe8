"""What a busy worker asks of the kernel besides its sockets."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path

import pytest

from bench import traffic
from bench.place import place
from bench.plan import SMOKE
from bench.streams import send_checks

CHECKS = 20_000
SECONDS = 60.0


def minor_faults(processes: tuple[int, ...]) -> int:
    """Pages that the kernel has given to the processes without reading a disk (proc(5), `minflt`)."""
    stats = [Path(f"/proc/{each}/stat").read_text(encoding="ascii") for each in processes]
    return sum(int(each.rpartition(") ")[2].split()[7]) for each in stats)


def test_a_busy_worker_needs_no_new_memory_for_the_next_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    # mallopt(3): large allocations come from the kernel and return to it. By default that depends on the heap's layout.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 * 1024))
    with place(SMOKE) as here, here.sidecar("sidecar") as sidecar:
        message = traffic.check_request(here.token)
        send_checks(sidecar.sockets[0], repeat(message, CHECKS), SECONDS)
        before = minor_faults(sidecar.program.pids())
        send_checks(sidecar.sockets[0], repeat(message, CHECKS), SECONDS)
        faults = minor_faults(sidecar.program.pids()) - before

    assert faults < CHECKS / 20  # `recv` with a large buffer of its own took half a page for each check
