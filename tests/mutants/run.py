"""Change the deciding core and the HTTP/2 engine in every small way, one at a time, and see that a test notices.

python -m tests.mutants.run --part http2 --record   # only one part, and write its numbers to score.json

mutmut makes the changes and runs the tests of tests/core and tests/http2 that reach each one. If no test notices a
change, survivors.json must contain it with the reason why none can. Every other survivor fails the run, and so does a
score below the bound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from mutmut.mutation.diff_apply import get_diff_for_mutant

EXPLAINED = Path(__file__).with_name("survivors.json")
SCORE = Path(__file__).with_name("score.json")

PARTS = ("core", "http2")
"""The packages of authz that are changed. Each has its own score."""

LOWEST_SCORE = 95.0
"""Percent of the changes of a part that a test must notice, the explained ones counted against it."""

NOTICED = {"killed", "timeout", "segfault"}
"""A change that ends in a loop or a crash does not go unnoticed either."""


class Change(NamedTuple):
    """One change as it reads: numbers of mutants shift with every line of code, texts do not."""

    function: str
    was: str
    now: str


def main() -> int:
    """Run mutmut, then hold what survived against the explanations. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="only this package (default: all)")
    parser.add_argument("--children", type=int, default=2, help="changes tried at the same time")
    parser.add_argument("--judge", action="store_true", help="judge the last run instead of making one")
    parser.add_argument("--record", action="store_true", help="write the numbers to tests/mutants/score.json")
    options = parser.parse_args()
    parts = (options.part,) if options.part else PARTS
    if not options.judge:
        names = (_prefix(options.part) + "*",) if options.part else ()  # without names, finished results are kept
        subprocess.run(_mutmut("run", "--max-children", str(options.children), *names), check=True)
    statuses, explained = _statuses(), _explained()
    failed = [part for part in parts if not _judge(part, statuses, explained, is_recorded=options.record)]
    return 1 if failed else 0


def _mutmut(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "mutmut"), *arguments]


def _prefix(part: str) -> str:
    """How the names of a part's functions and mutants begin."""
    return f"authz.{part}."


def _statuses() -> dict[str, str]:
    """How each mutant ended, by name."""
    listed = subprocess.run(_mutmut("results", "--all", "true"), check=True, capture_output=True, text=True).stdout
    return dict(line.strip().rsplit(": ", 1) for line in listed.splitlines())


def _explained() -> set[Change]:
    entries = json.loads(EXPLAINED.read_text(encoding="utf-8"))
    assert all(entry["why"] for entry in entries)
    return {Change(entry["function"], change["was"], change["now"]) for entry in entries for change in entry["changes"]}


def _judge(part: str, all_statuses: dict[str, str], all_explained: set[Change], *, is_recorded: bool) -> bool:
    """Report one part, and record its score if it passes. Returns whether it does."""
    statuses = {name: status for name, status in all_statuses.items() if name.startswith(_prefix(part))}
    explained = {change for change in all_explained if change.function.startswith(_prefix(part))}
    survivors = {name: _change(name) for name, status in statuses.items() if status not in NOTICED}
    unexplained = {name: change for name, change in survivors.items() if change not in explained}
    for name, change in sorted(unexplained.items()):
        sys.stdout.write(f"no test notices {name} ({statuses[name]})\n  - {change.was}\n  + {change.now}\n")
    for change in sorted(explained - set(survivors.values())):
        sys.stdout.write(f"a test notices now, or the line is gone: {change}\n")
    noticed = len(statuses) - len(survivors)
    score = 100 * noticed / max(1, len(statuses))
    counts = dict(Counter(statuses.values()))
    sys.stdout.write(f"{part}: {noticed} of {len(statuses)} changes noticed, {score:.1f} %: {counts}\n")
    sys.stdout.write(f"{part}: {len(survivors) - len(unexplained)} survivors explained, {len(unexplained)} not\n")
    is_good = score >= LOWEST_SCORE and not unexplained
    if is_recorded and is_good:
        _record(part, len(statuses), noticed)
    return is_good


def _record(part: str, changes: int, noticed: int) -> None:
    scores = json.loads(SCORE.read_text(encoding="utf-8"))
    scores[part] = {"changes": changes, "noticed": noticed}
    SCORE.write_text(json.dumps(scores) + "\n", encoding="utf-8")


def _change(name: str) -> Change:
    lines = [line for line in get_diff_for_mutant(name).splitlines() if not line.startswith(("---", "+++"))]
    was, now = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Change(name.rpartition("__mutmut_")[0], was, now)


if __name__ == "__main__":
    sys.exit(main())
