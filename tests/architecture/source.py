"""The modules of authz as their source says them: what each imports, at once or later, and what that leads to."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of authz by its dotted name, packages included."""
    return {
        _name(path): ast.parse(path.read_bytes(), filename=str(path)) for path in sorted(ROOT.glob("authz/**/*.py"))
    }


def imports(module: str, *, lazy: bool = True) -> frozenset[str]:
    """Absolute names of a module's runtime imports; without `lazy`, only imports at load time.

    A name bound to a module of ours counts as that module: `from authz.core import token` is authz.core.token.
    """
    return frozenset(name for node in _running(modules()[module].body, lazy=lazy) for name in _named(node))


def closure(module: str, *, lazy: bool = True) -> frozenset[str]:
    """All that importing a module leads to through modules of ours, itself included."""
    seen: set[str] = set()
    ahead = [module]
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in modules():
            ahead += imports(name, lazy=lazy) | _packages(name)
    return frozenset(seen)


def below(names: Iterable[str], package: str) -> set[str]:
    """The names of a package and of everything below it."""
    return {name for name in names if name == package or name.startswith(package + ".")}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _packages(name: str) -> set[str]:
    """Importing a module also loads its parent packages."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def _running(body: Iterable[ast.AST], *, lazy: bool) -> Iterator[ast.AST]:
    """Import statements that run: none under TYPE_CHECKING, and those in functions only if `lazy`."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _running(node.orelse, lazy=lazy)
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _running(ast.iter_child_nodes(node), lazy=lazy)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: relative imports hide where a name comes from"
        for alias in node.names:
            below_it = f"{node.module}.{alias.name}"
            yield below_it if below_it in modules() else str(node.module)
