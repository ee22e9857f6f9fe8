"""Runs the harnesses, each in a process of its own, and prints how many inputs each has survived.

python -m fuzz.run --seconds 60 [HARNESS...]
python -m fuzz.run HARNESS --again FILE        # one input that was found
python -m fuzz.run --seconds 600 --record      # write executions.json, for docs/security.md
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HARNESSES = ("token", "authorization", "claims", "jwks", "policy", "check", "http2")
SLOW_INPUT_SECONDS = 5
"""One input that takes so long is a finding: nothing that a stranger sends may stall."""

MEMORY_MEGABYTES = 2048
EXECUTIONS = Path(__file__).with_name("executions.json")
FOUND = Path(__file__).parent / "found"
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def main() -> int:
    """Run the harnesses. Return 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harness", nargs="*", metavar="HARNESS", help=f"some of {', '.join(HARNESSES)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="for each harness (default: %(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", type=Path, metavar="FILE", help="try one input, outside of the fuzzer")
    parser.add_argument("--record", action="store_true", help="write the numbers to fuzz/executions.json")
    options = parser.parse_args()
    if options.again is not None:
        importlib.import_module(f"fuzz.{options.harness[0]}").one_input(options.again.read_bytes())
        return 0
    if options.inside:
        _fuzz(options.harness[0], options.seconds)
    survived = {name: _run(name, options.seconds) for name in options.harness or HARNESSES}
    failed = [name for name, inputs in survived.items() if not inputs]
    if options.record and not failed:
        EXECUTIONS.write_text(json.dumps({"seconds": options.seconds, "inputs": survived}, indent=1) + "\n", "utf-8")
    print(f"{len(failed)} harnesses found something: {', '.join(failed)}" if failed else "nothing found")
    return 1 if failed else 0


def table() -> str:
    """What the last recorded run survived, as the rows of docs/security.md."""
    recorded = json.loads(EXECUTIONS.read_text("utf-8"))
    rows = [f"| {name} | {_question(name)} | {inputs:,} |\n" for name, inputs in recorded["inputs"].items()]
    heading = f"| harness | what holds | inputs in {recorded['seconds']} s |\n| --- | --- | --- |\n"
    return heading + "".join(rows)


def _question(name: str) -> str:
    """The first sentence of a harness's docstring, read without importing its dependencies."""
    source = (Path(__file__).with_name(f"{name}.py")).read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


def _run(name: str, seconds: int) -> int:
    """The number of inputs that passed; 0 if one broke an invariant."""
    print(f"{name:15} …", end="", flush=True)
    command = [sys.executable, "-m", "fuzz.run", name, "--seconds", str(seconds), "--inside"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + 120)
    match = _DONE.search(done.stderr)
    if done.returncode or match is None:
        print(f" FOUND SOMETHING\n{done.stdout[-2000:]}{done.stderr[-6000:]}")
        return 0
    print(f" {int(match[1]):>10,} inputs in {match[2]} s")
    return int(match[1])


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris  # noqa: PLC0415 - there is none for every platform, and `--help` works without

    with atheris.instrument_imports(include=["authz"]):
        harness = importlib.import_module(f"fuzz.{name}")
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(harness.SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        arguments = [
            f"-max_total_time={seconds}",
            f"-max_len={harness.MAX_BYTES}",
            f"-timeout={SLOW_INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MEGABYTES}",
            f"-artifact_prefix={FOUND}/{name}-",
            "-print_final_stats=0",
        ]
        atheris.Setup([sys.argv[0], *arguments, corpus], harness.one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
