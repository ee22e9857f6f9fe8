"""What a busy worker asks of the kernel besides its sockets."""

from __future__ import annotations

from itertools import repeat

import pytest

from bench import traffic
from bench.place import place
from bench.plan import SMOKE
from bench.streams import send_checks

CHECKS = 20_000
SECONDS = 60.0


def test_a_busy_worker_needs_no_new_memory_for_the_next_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    # mallopt(3): large allocations come from the kernel and return to it. By default that depends on the heap's layout.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 * 1024))
    with place(SMOKE) as here, here.sidecar("sidecar") as sidecar:
        message = traffic.check_request(here.token)
        send_checks(sidecar.sockets[0], repeat(message, CHECKS), SECONDS)
        before = sidecar.program.page_faults()
        send_checks(sidecar.sockets[0], repeat(message, CHECKS), SECONDS)
        faults = sidecar.program.page_faults() - before

    assert faults < CHECKS / 20  # `recv` with a large buffer of its own took half a page for each check
