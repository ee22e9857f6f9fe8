"""Tables for people: on the terminal, and between markers in README.md and docs/performance.md.

`python -m bench.report` writes the documents from bench/results and draws the plot; `--check` only says whether they
are as it would write them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import hop, straight, through
from bench.peers import external
from bench.peers.build import GO, RUST
from bench.peers.external import External
from bench.promises import PROMISES, Promise, Tables
from bench.results import FOLDER, RATIOS, Table, read, read_about, spread

ROOT = Path(__file__).parents[1]
NAMES = ("straight", "envoy", "hop", "growth", "memory", "start", "steps", "stages")
PICTURE = "bench/results/speed.png"
MARKED = re.compile(r"(<!-- (bench(?:-[a-z]+)*):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


REFERENCES = {"straight": straight.KNOWN, "envoy": through.OWN, "hop": hop.SHIPPED}
"""The row of each comparison that the others are compared with."""


@dataclass(frozen=True, slots=True)
class Words:
    """The text around the numbers in one language, and its translations of row titles and plan names."""

    picture: str
    head: tuple[str, str, str, str, str]
    described: str
    more: str
    translations: Mapping[str, str] = field(default_factory=dict)


ENGLISH = Words(
    "Requests per second for each way to protect a route",
    ("through one Envoy worker thread", "requests/s", "against jwt_authn + rbac", "p50 us", "p99 us"),
    "A {plan} run of `make bench` on {cores} shared cores, {python}, grpcio {grpcio}, {day}.",
    " More, and how to measure: [docs/performance.md](docs/performance.md).",
)
JAPANESE = Words(
    "ルートを守る方法ごとの 1 秒あたりの要求数",
    ("1 つの Envoy ワーカースレッドを通した値", "要求/秒", "jwt_authn + rbac との比", "p50 us", "p99 us"),
    "`make bench` ({plan}) を共有 {cores} コア、{python}、grpcio {grpcio} で実行した値です ({day})。",
    "測り方とその他の結果は [docs/performance.md](docs/performance.md) にあります。",
    {
        "full": "全測定",
        "Envoy alone": "Envoy のみ",
        "Envoy's jwt_authn + rbac": "Envoy の jwt_authn + rbac",
        "authz, known token": "authz、検証済みのトークン",
        "Envoy's jwt_authn + rbac, with its jwt cache": "Envoy の jwt_authn + rbac、JWT キャッシュあり",
        "authz with 2 workers, known token": "authz、ワーカー 2 つ、検証済みのトークン",
        through.RETRYING: "authz、検証済みのトークン、deploy/envoy.yaml の再試行あり",
        RUST.cached: "tonic + jsonwebtoken、トークンキャッシュあり",
        RUST.verifying: "tonic + jsonwebtoken、毎回検証",
        GO.cached: "grpc-go + golang-jwt、トークンキャッシュあり",
        GO.verifying: "grpc-go + golang-jwt、毎回検証",
    },
)
DOCUMENTS = {
    "README.md": ENGLISH,
    "README.ja.md": JAPANESE,
    "docs/performance.md": ENGLISH,
    "docs/scale.md": ENGLISH,
}

_COLUMNS = {
    "per_second": "per second",
    "cpu_microseconds": "CPU us each",
    "beside_microseconds": "of that, not Envoy's",
    "alone_p50": "p50 us",
    "alone_p99": "p99 us",
    "alone_p999": "p99.9 us",
    "paced_p50": "p50 us at 1000/s",
    "paced_p99": "p99 us at 1000/s",
    "paced_p999": "p99.9 us at 1000/s",
    "microseconds": "us",
    "seconds": "seconds",
    "worker_mib": "worker MiB",
    "supervisor_mib": "supervisor MiB",
    "resident_mib": "resident MiB",
}
_FINE = ("microseconds", "cpu_microseconds", "beside_microseconds", "resident_mib", "worker_mib", "supervisor_mib")


def cells(table: Table) -> list[list[str]]:
    """Head and rows as text; a column that nothing was measured for is left out."""
    columns = [name for name in _COLUMNS if any(name in row.samples for row in table.rows)]
    lines = [["", *(_COLUMNS[name] for name in columns)]]
    return lines + [
        [row.subject, *(_cell(name, row.middle(name)) if name in row.samples else "" for name in columns)]
        for row in table.rows
    ]


def _cell(name: str, number: float) -> str:
    if name == "seconds":
        return f"{number:.2f}"
    return f"{number:.1f}" if name in _FINE else f"{number:,.0f}"


def plain_table(table: Table) -> str:
    """For a terminal."""
    return f"{table.title}\n{aligned(cells(table))}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns for a terminal."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """For a document."""
    rule = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def ratio_title(name: str) -> str:
    """What stands above the ratios of a comparison."""
    return f"Ratios to `{REFERENCES[name]}` within each round: median [first to third quartile]."


def ratio_cells(table: Table, others: Iterable[External]) -> list[list[str]]:
    """Each row as ratios to the reference of its table, then the rows that were measured elsewhere."""
    reference = REFERENCES[table.name]
    here = [other for other in others if other.table == table.name]
    measured = [name for name in RATIOS if table.samples(reference, name) or any(name in each.ratios for each in here)]
    lines = [["", *(RATIOS[name] for name in measured)]]
    for row in table.rows:
        if row.subject != reference:
            ratios = [table.ratios(name, row.subject, reference) for name in measured]
            lines.append([row.subject, *map(_ratio_cell, ratios)])
    for other in here:
        against = "" if other.against == reference else f", against {other.against}"
        ratios = [other.ratios.get(name, []) for name in measured]
        lines.append([f"{other.subject} (elsewhere: {other.measured}{against})", *map(_ratio_cell, ratios)])
    return lines


def _ratio_cell(ratios: Sequence[float]) -> str:
    if not ratios:
        return ""
    first, third = spread(ratios)
    return f"{median(ratios):.2f} x [{first:.2f} to {third:.2f}]"


def promise_cells(tables: Tables, promises: Iterable[Promise]) -> list[list[str]]:
    """Each promise with its target, and the number with its quartiles if it was measured."""
    lines = [["measured", "target", "median", "quartiles", "met"]]
    for promise in promises:
        target = f"{'at least' if promise.is_least else 'at most'} {promise.limit:g} {promise.unit}"
        numbers = promise.samples(tables)
        if numbers:
            first, third = spread(numbers)
            met = "yes" if promise.kept(median(numbers)) else "no"
            figures = [f"{median(numbers):.2f} {promise.unit}", f"{first:.2f} to {third:.2f}", met]
        else:
            figures = ["not measured", "", ""]
        lines.append([promise.text, target, *figures])
    return lines


def parts(tables: Tables, words: Words) -> dict[str, str]:
    """The text between each pair of markers."""
    about = read_about()
    plan = words.translations.get(str(about["plan"]), about["plan"])
    build = about.get("python_build", f"Python {about['python']}")
    described = words.described.format(**{**about, "plan": plan, "python": build, "day": str(about["when"])[:10]})
    short = markdown_table(_beside(tables, words))
    found = {"bench": f"![{words.picture}]({PICTURE})\n\n{short}\n\n{described}{words.more}\n"}
    found["bench-promises"] = f"{markdown_table(promise_cells(tables, PROMISES))}\n\n{described}\n"
    others = external.read(external.FILE)
    for name in REFERENCES.keys() & tables.keys():
        ratios = markdown_table(ratio_cells(tables[name], others))
        found[f"bench-{name}-ratios"] = f"{ratio_title(name)}\n\n{ratios}\n"
    found["bench-peers"] = f"The peers of this run: {about.get('peers', 'none')}.\n"
    found["bench-load"] = f"{markdown_table(load_cells(tables))}\n\n{described}\n"
    for name, table in tables.items():
        found[f"bench-{name}"] = f"{table.title}.\n\n{markdown_table(cells(table))}\n"
    return found


_LOADS = (
    ("Envoy with its own jwt_authn + rbac", "envoy", through.OWN),
    ("authz, known token", "straight", straight.KNOWN),
    ("authz, every token new", "straight", straight.NEW),
    ("Envoy and authz, known token", "envoy", through.KNOWN),
    ("Envoy and authz, every token new", "envoy", through.NEW),
)


def load_cells(tables: Tables) -> list[list[str]]:
    """CPU for planning: what 1,000 requests/s cost, and what one core carries."""
    lines = [["", "cores for 1,000 requests/s", "requests/s of one core"]]
    for words, name, subject in _LOADS:
        cost = median(tables[name].samples(subject, "cpu_microseconds"))
        lines.append([words, f"{cost / 1000:.3f}", f"{1_000_000 / cost:,.0f}"])
    return lines


def _beside(tables: Tables, words: Words) -> list[list[str]]:
    """The few rows of the README: through Envoy, each protection of a route and its remaining throughput."""
    table = tables["envoy"]
    lines = [list(words.head)]
    for row in table.rows:
        if "alone_p99" in row.samples:
            rate, half, most = (_cell(name, row.middle(name)) for name in ("per_second", "alone_p50", "alone_p99"))
            ratio = f"{median(table.ratios('per_second', row.subject, through.OWN)):.2f} x"
            lines.append([words.translations.get(row.subject, row.subject), rate, ratio, half, most])
    return lines


def filled(text: str, between: dict[str, str]) -> str:
    """The document with the parts between its markers."""
    return MARKED.sub(lambda match: match[1] + between.get(match[2], "") + match[3], text)


def main(arguments: Sequence[str]) -> int:
    tables = read(NAMES)
    is_check = "--check" in arguments
    stale = []
    for name, words in DOCUMENTS.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        wanted = filled(text, parts(tables, words))
        if wanted != text:
            stale.append(name)
            if not is_check:
                path.write_text(wanted, encoding="utf-8")
    if is_check and stale:
        print(f"{', '.join(stale)}: not as bench/results says. Run `python -m bench.report`.")
        return 1
    if not is_check:
        from bench.plot import draw  # noqa: PLC0415 - matplotlib is slow to import, and not needed to check

        draw(tables, FOLDER / "speed.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
