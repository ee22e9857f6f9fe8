"""Change the deciding core in every small way, one at a time, and see that a test notices: `make mutants`.

python -m tests.mutants.run --record   # the same, and write score.json

mutmut makes the changes and runs the tests of tests/core that reach each one. A change that no test notices must stand
in survivors.json with the reason why none can: everything else, and a score below the bound, fails.
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

LOWEST_SCORE = 95.0
"""Percent of all changes that a test must notice, the explained ones counted against it."""

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
    parser.add_argument("--children", type=int, default=2, help="changes tried at the same time")
    parser.add_argument("--judge", action="store_true", help="judge the last run instead of making one")
    parser.add_argument("--record", action="store_true", help="write the numbers to tests/mutants/score.json")
    options = parser.parse_args()
    if not options.judge:
        subprocess.run(_mutmut("run", "--max-children", str(options.children)), check=True)
    statuses = _statuses()
    failed = _judge(statuses, _explained())
    if options.record and not failed:
        noticed = sum(status in NOTICED for status in statuses.values())
        SCORE.write_text(json.dumps({"changes": len(statuses), "noticed": noticed}) + "\n", encoding="utf-8")
    return failed


def _mutmut(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "mutmut"), *arguments]


def _statuses() -> dict[str, str]:
    """How each mutant ended, by name."""
    listed = subprocess.run(_mutmut("results", "--all", "true"), check=True, capture_output=True, text=True).stdout
    return dict(line.strip().rsplit(": ", 1) for line in listed.splitlines())


def _explained() -> set[Change]:
    entries = json.loads(EXPLAINED.read_text(encoding="utf-8"))
    assert all(entry["why"] for entry in entries)
    return {Change(entry["function"], change["was"], change["now"]) for entry in entries for change in entry["changes"]}


def _judge(statuses: dict[str, str], explained: set[Change]) -> int:
    counts = Counter(statuses.values())
    survivors = {name: _change(name) for name, status in statuses.items() if status not in NOTICED}
    unexplained = {name: change for name, change in survivors.items() if change not in explained}
    for name, change in sorted(unexplained.items()):
        sys.stdout.write(f"no test notices {name} ({statuses[name]})\n  - {change.was}\n  + {change.now}\n")
    for change in sorted(explained - set(survivors.values())):
        sys.stdout.write(f"a test notices now, or the line is gone: {change}\n")
    noticed = len(statuses) - len(survivors)
    score = 100 * noticed / max(1, len(statuses))
    sys.stdout.write(f"{noticed} of {len(statuses)} changes noticed, {score:.1f} %: {dict(counts)}\n")
    sys.stdout.write(f"{len(survivors) - len(unexplained)} survivors explained, {len(unexplained)} not\n")
    return 0 if score >= LOWEST_SCORE and not unexplained else 1


def _change(name: str) -> Change:
    lines = [line for line in get_diff_for_mutant(name).splitlines() if not line.startswith(("---", "+++"))]
    was, now = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Change(name.rpartition("__mutmut_")[0], was, now)


if __name__ == "__main__":
    sys.exit(main())
