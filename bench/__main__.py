"""`python -m bench`: measure, print, keep. `--quick` runs the promised rows in minutes, `--smoke` is for CI."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cryptography
import grpc
import jwt

from authz import __version__
from bench import growth, report, resources, results, stages, straight, through
from bench.load import require_tools
from bench.place import Place, place
from bench.plan import FULL, QUICK, SMOKE, Plan
from bench.progress import Progress
from bench.promises import PROMISES
from bench.report import plain_table, promise_lines
from bench.results import Table

SCENARIOS: dict[str, Callable[[Place, Progress], Table]] = {
    "start": resources.start,
    "straight": straight.throughput,
    "envoy": through.throughput,
    "growth": growth.costs,
    "memory": resources.memory,
    "steps": straight.steps,
    "stages": stages.costs,
}


def main() -> int:
    options = _options()
    plan = SMOKE if options.smoke else QUICK if options.quick else FULL
    require_tools()
    print(f"A {plan.name} run: about {plan.minutes:g} minutes. Everything in a table is measured in turns.")
    progress = Progress()
    tables = {}
    with place(plan) as here:
        for name in options.only or SCENARIOS:
            tables[name] = SCENARIOS[name](here, progress)
            progress.end()
            print(f"\n{plain_table(tables[name])}\n", flush=True)
    about = _about(plan)
    print("\n".join(promise_lines(tables, PROMISES)))
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
    options = parser.parse_args()
    if options.results is None and not (options.quick or options.smoke):
        options.results = results.FOLDER
    return options


def _about(plan: Plan) -> dict[str, str | int]:
    """The machine and versions that the numbers depend on."""
    return {
        "plan": plan.name,
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "authz": __version__,
        "grpcio": grpc.__version__,
        "pyjwt": jwt.__version__,
        "cryptography": cryptography.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
