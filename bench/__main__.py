"""`python -m bench`: measure, print, keep. `--quick` runs the promised rows in minutes, `--smoke` is for CI."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cryptography
import grpc
import jwt

from authz import __version__
from bench import growth, hop, report, resources, results, stages, straight, through
from bench.load import require_tools
from bench.peers import external
from bench.peers.build import PEERS, told
from bench.place import Place, place
from bench.plan import FULL, QUICK, SMOKE, Plan
from bench.progress import Progress
from bench.promises import PROMISES
from bench.report import REFERENCES, aligned, plain_table, promise_cells, ratio_cells, ratio_title
from bench.results import Table

SCENARIOS: dict[str, Callable[[Place, Progress], Table]] = {
    "start": resources.start,
    "straight": straight.throughput,
    "envoy": through.throughput,
    "hop": hop.costs,
    "growth": growth.costs,
    "memory": resources.memory,
    "steps": straight.steps,
    "stages": stages.costs,
}


def main() -> int:
    options = _options()
    plan = SMOKE if options.smoke else QUICK if options.quick else FULL
    require_tools()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally` that ends a program
    print(f"A {plan.name} run: about {plan.minutes:g} minutes. Everything in a table is measured in turns.")
    others = external.read(options.external)
    peers = told(PEERS, may_build=plan.builds_peers)
    print(f"{python_build()}. Peers: {peers}.")
    progress = Progress()
    tables = {}
    with place(plan) as here:
        for name in options.only or SCENARIOS:
            tables[name] = SCENARIOS[name](here, progress)
            progress.end()
            print(f"\n{plain_table(tables[name])}\n", flush=True)
    about = _about(plan, peers)
    for name in REFERENCES.keys() & tables.keys():
        print(f"{ratio_title(name)}\n\n{aligned(ratio_cells(tables[name], others))}\n")
    print(aligned(promise_cells(tables, PROMISES)))
    if options.results:
        results.write(tables.values(), options.results)
        results.write_about(about, options.results)
        print(f"kept in {options.results}")
    if options.results and options.results.resolve() == results.FOLDER:
        report.main([])
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__.partition("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help=f"about {QUICK.minutes:g} minutes")
    size.add_argument("--smoke", action="store_true", help="seconds: whether everything still runs")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), help="these tables only")
    parser.add_argument(
        "--results", type=Path, help="where to keep JSON: bench/results, and in the documents, after a full run"
    )
    parser.add_argument(
        "--external", type=Path, default=external.FILE, help="rows that were measured elsewhere (docs/performance.md)"
    )
    options = parser.parse_args()
    if options.results is None and not (options.quick or options.smoke):
        options.results = results.FOLDER
    return options


def python_build() -> str:
    """The build of this Python: profile-guided optimization alone changes its speed by 10 to 30 %."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.base_prefix == "/usr":  # a distribution's own package, whose build options sysconfig does not know
        release = platform.freedesktop_os_release()
        return f"{version} of {release['NAME']} {release.get('VERSION_ID', '')}".rstrip()
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    pgo = "with PGO" if "--enable-optimizations" in options else "without PGO"
    lto = " and LTO" if "--with-lto" in options else ""
    return f"{version} {pgo}{lto}"


def _about(plan: Plan, peers: str) -> dict[str, str | int]:
    """The machine and versions that the numbers depend on."""
    return {
        "plan": plan.name,
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "python_build": python_build(),
        "peers": peers,
        "authz": __version__,
        "grpcio": grpc.__version__,
        "pyjwt": jwt.__version__,
        "cryptography": cryptography.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
