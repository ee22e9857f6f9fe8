"""CPU time of a request with a sidecar and with a shared tier, at the same rate: `python -m drills.tier`.

Both are those of the fault tests: the files of deploy/, the chart's own rendering, and real Envoy, on loopback. A known
token, one connection for each client. Prints microseconds for each request.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.sidecar import SECONDS
from tests.fakes.waiting import until
from tests.faults.proxied import Load, proxied
from tests.faults.tier import SERVICE, tier

REQUESTS, CLIENTS, PER_SECOND = 12_000, 16, 1000
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> dict[str, float]:
    """User and system time of the processes below this one, by what they do (proc(5): fields 14 and 15 of stat)."""
    found: defaultdict[str, float] = defaultdict(float)
    for pid in _below(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        is_envoy = b"envoy\0-c\0" in line
        role = "authz" if not is_envoy else "Envoys of the tier" if b"/replica-" in line else "Envoy of the service"
        found[role] += (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    return found


def _below(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread of the load has ended
            for child in map(int, (thread / "children").read_text(encoding="ascii").split()):
                yield child
                yield from _below(child)


def measured(load: Load) -> dict[str, float]:
    """Microseconds of CPU for each request, by what a process does."""
    before = cpu_seconds()
    with load.running():
        pass
    assert load.statuses == {200: load.requests}
    return {role: (seconds - before[role]) * 1e6 / load.requests for role, seconds in cpu_seconds().items()}


def main() -> int:
    """Measure both, and print a line for each."""
    with proxied() as one:
        load = Load(one.port, one.token, requests=REQUESTS, clients=CLIENTS, per_second=PER_SECOND)
        _print("sidecar", measured(load))
    with tier() as many:
        until(lambda: many.status() == 200, SECONDS)
        many.expect(healthy=3)
        load = Load(
            many.port,
            many.token,
            requests=REQUESTS,
            clients=CLIENTS,
            per_second=PER_SECOND,
            path="/orders/1",
            host=SERVICE,
        )
        _print("shared tier", measured(load))
    return 0


def _print(shape: str, found: dict[str, float]) -> None:
    parts = ", ".join(f"{role} {number:.0f}" for role, number in sorted(found.items()))
    print(f"{shape}: {sum(found.values()):.0f} us of CPU for each request at {PER_SECOND}/s ({parts})")


if __name__ == "__main__":
    sys.exit(main())
