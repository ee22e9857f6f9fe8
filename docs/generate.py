"""Write the generated parts of the documents, or report the outdated ones with --check.

A generated part is between `<!-- generated: NAME ARGUMENTS -->` and `<!-- end -->`. NAME is a key of PARTS, which maps
it to the function that writes the part.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import importlib
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from authz.cli.main import main as authz
from authz.core.policy import BUILT_IN
from authz.core.profiles import PROFILES
from authz.core.reasons import Reason
from deploy import chart_values
from drills import fleet
from drills import run as drills
from fuzz import run as executions
from tests.differential import record
from tests.lint import sections as lint

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "authz"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])

_NOT_SHOWN = {"name", "issuer_fix"}
"""Fields of a profile that the table omits: the column's title, and a sentence of error messages."""

_STATUS_WORDS = {
    "en": (("response", "outcome", "reasons"), "forwarded"),
    "ja": (("応答", "分類", "理由"), "転送"),
}
"""Headings of the table of reasons by status, and the word for a forwarded request, by language."""

_PART = re.compile(r"(<!-- generated: (?P<words>[^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def run_help(*command: str) -> str:
    """Return the output of `authz COMMAND --help`."""
    shown = " ".join(("authz", *command, "--help"))
    return f"```console\n$ {shown}\n{_printed(*command, '--help').rstrip()}\n```\n"


def commands() -> str:
    """Return one section with the help text for each command that `authz --help` lists."""
    names = re.findall(r"^    ([a-z]\S*)", _printed("--help"), re.MULTILINE)
    return "\n".join(f"## `authz {name}`\n\n{run_help(name)}" for name in names)


def _printed(*arguments: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        authz(arguments)
    return output.getvalue()


def reasons() -> str:
    """Return the output of `authz reasons --output markdown`."""
    return _printed("reasons", "--output", "markdown")


def reasons_by_status(language: str = "en") -> str:
    """Return the names of all reasons, one row per HTTP status and outcome."""
    headings, forwarded = _STATUS_WORDS[language]
    found: dict[tuple[str, str], list[str]] = {}
    for row in (reason.row for reason in Reason):
        status = forwarded if row.outcome == "allow" else str(row.http_status)
        found.setdefault((status, row.outcome), []).append(f"`{row.label}`")
    rows = [(*key, ", ".join(names)) for key, names in sorted(found.items(), key=lambda item: item[0][::-1])]
    return _table(headings, rows)


def public_texts() -> str:
    """Return the public text of each reason, as clients read it."""
    rows = [(f"`{reason.row.label}`", reason.row.text) for reason in Reason if reason.row.text]
    return _table(("reason", "what the client reads"), rows)


def profiles() -> str:
    """Return the table of profiles, one column per profile."""
    fields = [field for field in dataclasses.fields(next(iter(PROFILES.values()))) if field.name not in _NOT_SHOWN]
    rows = [
        (f"`{field.name}`", *(_shown(getattr(profile, field.name)) for profile in PROFILES.values()))
        for field in fields
    ]
    return _table(("", *(f"`{name}`" for name in PROFILES)), rows)


def tokens(*issuers: str) -> str:
    """Return the recorded tokens of these issuers and the decisions on them. An issuer's name has `-` for a space."""
    seen = _seen()
    rows = [
        [row["issuer"], row["flow"], row["client"], row["token"], row["holds"], *row["decisions"]]
        for row in seen["rows"]
        if row["issuer"].replace(" ", "-") in issuers
    ]
    return _table(["issuer", "flow", "client", "token", "in the token", *map("`{}`".format, seen["routes"])], rows)


def token_routes() -> str:
    """Return the example routes of the token tables."""
    return _table(("route", "policy"), [(f"`{path}`", f"`{policy}`") for path, policy in _seen()["routes"].items()])


def _seen() -> dict[str, Any]:
    """Return the record of `make clients`, which every run of it checks again."""
    return dict(json.loads((ROOT / "tests" / "clients" / "matrix.json").read_text(encoding="utf-8")))


def built_in_policies() -> str:
    """Return the names of the built-in policies."""
    return ", ".join(f"`{name}`" for name in BUILT_IN) + "\n"


def rooms() -> str:
    """Return the table of packages: the purpose of each, and the packages that it imports."""
    found: dict[str, set[str]] = {}
    for path in _modules():
        room = path.relative_to(PACKAGE).parts[0]
        if not room.endswith(".py"):
            found.setdefault(room, set()).update(_rooms_imported(path) - {room})
    rows = [
        (
            f"`authz/{room}/`",
            _first_paragraph(PACKAGE / room / "__init__.py"),
            ", ".join(f"`{name}`" for name in sorted(others)) or "none",
        )
        for room, others in found.items()
    ]
    return _table(("package", "purpose", "imports from"), rows)


def bounds(*rooms: str) -> str:
    """Return each named number of these packages whose docstring gives the reason for its value."""
    rows = []
    for path in _modules():
        if path.relative_to(PACKAGE).parts[0] in rooms:
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            place = f"[{_name(path)}](../{path.relative_to(ROOT)})"
            for name, why in _explained_numbers(path):
                rows.append((f"`{name}`", place, _number(name, getattr(module, name)), why))
    return _table(("constant", "file", "value", "reason"), rows)


def members(path: str, name: str) -> str:
    """Return the members of a string enumeration, each with its docstring."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    rows = [(f"`{value}`", why) for value, why in _explained(body)]
    return _table(("value", "meaning"), rows)


def token_corpus() -> str:
    """Return how many tokens of the corpus of bad tokens each library accepts."""
    return record.table()


def fuzzing() -> str:
    """Return the number of inputs per harness in the last recorded run."""
    return executions.table()


def mutants() -> str:
    """Return how many mutants of each part the tests caught in the last recorded run. The others are all explained."""
    scores = json.loads((ROOT / "tests" / "mutants" / "score.json").read_text(encoding="utf-8"))
    rows = [
        (
            f"`authz/{part}`",
            f"{score['changes']:,}",
            f"{score['noticed']:,}",
            f"{100 * score['noticed'] / score['changes']:.1f} %",
            f"{score['changes'] - score['noticed']:,}",
        )
        for part, score in scores.items()
    ]
    return _table(("part", "mutants", "caught", "share", "explained"), rows)


def drilled() -> str:
    """Return the figures of the last recorded drills."""
    return drills.table()


def values_of_the_chart() -> str:
    """Every value of the Helm chart."""
    return _table(("value", "default", "meaning"), list(chart_values.rows()))


PARTS: dict[str, Callable[..., str]] = {
    "help": run_help,
    "commands": commands,
    "reasons": reasons,
    "reasons-by-status": reasons_by_status,
    "public-texts": public_texts,
    "profiles": profiles,
    "built-in-policies": built_in_policies,
    "rooms": rooms,
    "bounds": bounds,
    "members": members,
    "lint-codes": lint.codes,
    "lint-sections": lint.sections,
    "tokens": tokens,
    "token-routes": token_routes,
    "token-corpus": token_corpus,
    "fuzzing": fuzzing,
    "mutants": mutants,
    "drills": drilled,
    "fleet": fleet.markdown,
    "chart-values": values_of_the_chart,
}


def generated(text: str) -> str:
    """Return a document's text with every generated part written again."""

    def _write(found: re.Match[str]) -> str:
        name, *arguments = found["words"].split()
        return f"{found[1]}{PARTS[name](*arguments)}{found[3]}"

    return _PART.sub(_write, text)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---" for _ in headings], *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _shown(value: object) -> str:
    """Format one field of a profile for the table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = sorted(value) if isinstance(value, frozenset) else value if isinstance(value, tuple) else [value]
    return ", ".join(dict.fromkeys(f"`{_word(word)}`" for word in words if word)) or "none"


def _word(value: object) -> str:
    """Format one value of a profile: a claim's name, a pattern's text, or a URL."""
    for field in ("text", "claim", "pattern", "jwks_uri"):
        if hasattr(value, field):
            return str(getattr(value, field))
    return str(value)


def _number(name: str, value: float) -> str:
    """Format a number. A size in bytes also gets its KiB or MiB."""
    shown = str(int(value)) if value == int(value) else f"{value:g}"
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if name.endswith("BYTES") and value % size == 0:
            return f"{shown} ({int(value) // size} {unit})"
    return shown


def _modules() -> Iterator[Path]:
    return (path for path in sorted(PACKAGE.rglob("*.py")) if "pb" not in path.parts)


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _first_paragraph(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def _rooms_imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "authz":
            names += [f"authz.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "authz" and part[1:] and (PACKAGE / part[1]).is_dir()}


def _explained_numbers(path: Path) -> Iterator[tuple[str, str]]:
    for node, said in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
        name = _assigned(node)
        if name and name.isupper() and not name.startswith("_") and _is_text(said) and _is_arithmetic(node):
            yield name, _docstring(said)


def _explained(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield str(node.value.value), _docstring(after) if _is_text(after) else ""


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _is_arithmetic(node: ast.stmt) -> bool:
    """Return whether a number is assigned, written as a literal or as arithmetic on literals."""
    return isinstance(node, ast.Assign) and all(
        isinstance(part, ast.BinOp | ast.operator)
        or (isinstance(part, ast.Constant) and not isinstance(part.value, str))
        for part in ast.walk(node.value)
    )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _docstring(node: ast.stmt) -> str:
    value = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else ""
    return " ".join(textwrap.dedent(str(value)).split())


def main() -> int:
    """Write or check the documents. Return 1 if a checked document is out of date."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documents.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a part is out of date")
    check = parser.parse_args().check
    # argparse wraps help to the terminal's width, and AUTHZ_ variables change the defaults that it shows.
    os.environ["COLUMNS"] = "100"
    for name in [name for name in os.environ if name.startswith("AUTHZ_")]:
        del os.environ[name]
    stale = []
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(after, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'out of date, run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
