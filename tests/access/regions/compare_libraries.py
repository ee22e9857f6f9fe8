"""Measure the alternatives of ADR 0008 on expressions of routes: which has an example for "matches one, not another"?

pip install interegular greenery z3-solver && python -m tests.access.regions.compare_libraries
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from importlib.metadata import version
from itertools import permutations
from typing import Any

from authz.tools.access.regions.languages import Language
from authz.tools.access.regions.re2_syntax import Characters, Choice, Edge, Node, Repeat, parse
from authz.tools.access.regions.values import Values, member

ROUTES = (
    "/orders/[0-9]+",
    "/users/[^/]+/orders(/.*)?",
    "/api/v[0-9]+/(orders|users|invoices)/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"(?i)/static/.*\.(css|js|png|svg)",
    ".*/admin(/.*)?",
    "/[a-z]{2}(-[A-Z]{2})?/.*",
    "/files/.{1,255}",
    r"/(?:[\w.~-]|%[0-9A-Fa-f]{2})+(?:/.*)?",
    "/tenants/(?P<tenant>[a-z0-9-]+)/.*",
    r"/[^.]*\z",
)
LARGE = ("/(a|b)*a(a|b){12}", "/[ab]*a[ab]{12}")
"""Two forms of one language, whose smallest deterministic automaton has more than 8,000 states."""
LIMIT_SECONDS = 2
"""Of CPU time, for a pair of expressions of routes."""
LARGE_LIMIT_SECONDS = 60

_HEADER_TEXT = r"[\t -~\x80-\xff]*"
"""The characters that our search uses. The expressions have the others in common too."""

Question = Callable[[str, str], str | None]
"""A text that matches the first expression and not the second one. None if there is none."""


def ours(one: str, other: str) -> str | None:
    """Lazily built automata, breadth first."""
    return member("x", Values(languages=frozenset({(True, Language("regex", one)), (False, Language("regex", other))})))


def interegular(one: str, other: str) -> str | None:
    """Complete automata."""
    library: Any = import_module("interegular")
    first, second = (library.parse_pattern(each).to_fsm() for each in (one, other))
    return _first(first.difference(second).strings())


def greenery(one: str, other: str) -> str | None:
    """Complete and minimized automata."""
    library: Any = import_module("greenery")
    first, second = (library.parse(each).to_fsm() for each in (one, other))
    return _first(first.difference(second).strings([]))


def z3(one: str, other: str) -> str | None:
    """Terms for a solver, built from the tree of our parser."""
    library: Any = import_module("z3")
    text, solver = library.String("text"), library.Solver()
    solver.set("timeout", (LARGE_LIMIT_SECONDS if (one, other) == LARGE else LIMIT_SECONDS) * 1000)
    solver.add(library.InRe(text, _term(library, parse(_HEADER_TEXT))))
    solver.add(library.InRe(text, _term(library, parse(one))))
    solver.add(library.Not(library.InRe(text, _term(library, parse(other)))))
    result = solver.check()
    if result == library.unknown:
        raise TimeoutError("unknown")
    return solver.model()[text].as_string() if result == library.sat else None


def _first(found: Iterator[Any]) -> str | None:
    text = next(iter(found), None)
    return text if text is None or isinstance(text, str) else "".join(map(str, text))


def _term(library: Any, node: Node) -> Any:
    if isinstance(node, Characters):
        ranges = [library.Range(chr(low), chr(high)) for low, high in node.ranges]
        return ranges[0] if len(ranges) == 1 else library.Union(*ranges)
    if isinstance(node, Choice):
        return library.Union(*(_term(library, each) for each in node.parts))
    if isinstance(node, Repeat):
        part = _term(library, node.part)
        return library.Loop(part, node.least, node.most) if node.most is not None else _at_least(library, part, node)
    if isinstance(node, Edge):
        return library.Re("")
    parts = [_term(library, each) for each in node.parts]
    return reduce(library.Concat, parts, library.Re(""))


def _at_least(library: Any, part: Any, node: Repeat) -> Any:
    return reduce(lambda one, _: library.Concat(one, part), range(node.least), library.Star(part))


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError("the time is over")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _holds(answer: str | None, one: str, other: str) -> bool:
    """Whether an example is right, by Python's own matching."""
    if answer is None:
        return True
    first, second = (each.replace(r"\z", r"\Z") for each in (one, other))
    return re.fullmatch(first, answer) is not None and re.fullmatch(second, answer) is None


def main() -> int:
    """Print a row of the table for each library."""
    pairs = list(permutations(ROUTES, 2))
    for name, ask in (("", ours), ("interegular", interegular), ("greenery", greenery), ("z3-solver", z3)):
        started, wrong, failures = time.process_time(), 0, Counter[str]()
        for one, other in pairs:
            try:
                with _limited(LIMIT_SECONDS):
                    answer = ask(one, other)
                wrong += (answer is None) is not (ours(one, other) is None) or not _holds(answer, one, other)
            except Exception as error:  # noqa: BLE001 - each library has its own errors
                failures[type(error).__name__] += 1
        seconds = time.process_time() - started
        title = f"{name} {version(name)}" if name else "ours"
        print(f"{title}: {len(pairs)} pairs in {seconds:.1f} s, {wrong} wrong, {dict(failures)}; {_large(ask)}")  # noqa: T201
    return 0


def _large(ask: Question) -> str:
    started = time.process_time()
    try:
        with _limited(LARGE_LIMIT_SECONDS):
            answer = ask(*LARGE)
    except Exception as error:  # noqa: BLE001 - the same
        return f"large: {type(error).__name__} after {time.process_time() - started:.1f} s"
    return f"large: {'equal' if answer is None else repr(answer)} after {time.process_time() - started:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
