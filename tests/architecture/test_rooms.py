"""Which room may know of which: read from the source, so that no import can slip in unseen."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest

from tests.architecture.source import below, closure, imports, modules

CORE = sorted(below(modules(), "authz.core"))

# All that deciding needs. A module that is missing here needs an argument, not a line.
CORE_MAY_IMPORT = {
    "__future__",
    "binascii",
    "collections",
    "collections.abc",
    "contextlib",
    "dataclasses",
    "difflib",
    "enum",
    "functools",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "re",
    "string",
    "types",
    "typing",
    "urllib.parse",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.mldsa",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "jwt",
    "jwt.algorithms",
}
WORLD = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_what_deciding_needs_and_nothing_of_the_world(module: str) -> None:
    outside = {name for name in imports(module) if not below([name], "authz.core")}

    assert outside <= CORE_MAY_IMPORT


@pytest.mark.parametrize("module", CORE)
def test_the_core_takes_keys_and_signatures_from_pyjwt_and_not_its_decoder_or_its_client(module: str) -> None:
    taken = {
        alias.name
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "jwt"
        for alias in node.names
    }

    assert taken <= {"PyJWK", "PyJWTError", "Algorithm", "get_default_algorithms"}


@pytest.mark.parametrize("module", CORE)
def test_the_core_calls_nothing_that_reads_prints_or_runs_text(module: str) -> None:
    called = {
        node.func.id
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert not called & WORLD


@pytest.mark.parametrize("module", sorted(below(modules(), "authz.sources")))
def test_the_sources_know_of_no_other_room_than_the_core(module: str) -> None:
    ours = below(imports(module), "authz") - {"authz"}

    assert ours <= below(ours, "authz.core") | below(ours, "authz.sources")


# A room imports from rooms of a lower level only. Rooms of one level do not import from each other.
LEVELS = {"core": 0, "http2": 0, "sources": 1, "envoy": 1, "observe": 2, "server": 3, "tools": 4, "cli": 5}


def _room(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def test_rooms_import_downward_only_so_that_no_circle_can_form() -> None:
    assert set(LEVELS) == {_room(name) for name in modules() if f"authz.{_room(name)}.__init__" and _room(name)} - {
        "exit_codes",
        "terminal",
        "__main__",
    }
    upward = {
        (module, name)
        for module in modules()
        if _room(module) in LEVELS
        for name in below(imports(module), "authz")
        if _room(name) in LEVELS and _room(name) != _room(module) and LEVELS[_room(name)] >= LEVELS[_room(module)]
    }

    assert not upward


def _circle(module: str) -> tuple[str, ...]:
    """Modules of another package that the module imports and that lead back to it."""
    return tuple(
        sorted(
            name
            for name in below(imports(module), "authz") & set(modules())
            if _room(name) != _room(module) and module in closure(name)
        )
    )


def test_no_modules_of_two_packages_import_each_other_in_a_circle() -> None:
    """`closure` adds the packages of a module, whose __init__ files import nothing: see the next test."""
    assert {module: circle for module in modules() if (circle := _circle(module))} == {}


def test_a_package_imports_nothing_itself_so_that_loading_a_module_loads_no_siblings() -> None:
    packages = {".".join(name.split(".")[:-1]) for name in modules()} - {"", "authz", "authz.tools.lint.rules"}

    assert {name for name in packages if imports(name)} <= {"authz.tools.lint.rules"}


CONFIGURATION_PATH = (
    "authz.cli.serve_command",
    "authz.envoy.settings",
    "authz.envoy.bootstrap",
    "authz.envoy.resources",
    "authz.envoy.document",
    "authz.core.configuration",
    "authz.core.read_issuer",
    "authz.core.read_policy",
    "authz.core.mapping_reader",
)
"""The modules that a configuration passes through, in order, from the command line to the compiled values."""


def test_a_walk_along_the_configuration_path_climbs_at_most_once() -> None:
    levels = [LEVELS[_room(module)] for module in CONFIGURATION_PATH]

    assert set(CONFIGURATION_PATH) <= set(modules())
    assert all(name in closure(CONFIGURATION_PATH[0]) for name in CONFIGURATION_PATH)
    assert sum(after > before for before, after in pairwise(levels)) <= 1


def _twice(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


OURS = {name: tree for name, tree in modules().items() if not below([name], "authz.server.pb")}


def test_no_class_name_means_two_things() -> None:
    """Nested and private classes count as well: a name in a traceback or a search must lead to one place."""
    names = [node.name for tree in OURS.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]

    assert _twice(names) == set()


def test_no_file_stem_means_two_things() -> None:
    packages = {".".join(name.split(".")[:-1]) for name in modules()}

    assert _twice(name.split(".")[-1] for name in OURS if name not in packages) == set()


def test_no_room_knows_of_the_commands_or_of_the_demo() -> None:
    asking = {
        name for name in modules() if below(imports(name), "authz.cli") or below(imports(name), "authz.tools.demo")
    } - below(modules(), "authz.tools.demo")

    assert asking <= below(modules(), "authz.cli") | {"authz.__main__"}


def test_only_the_two_ends_of_the_wire_know_protobuf() -> None:
    who = {name for name in modules() if below(imports(name), "google") or below(imports(name), "authz.server.pb")}

    assert who - below(modules(), "authz.server.pb") == {"authz.server.wire", "authz.server.check_response"}


def test_only_the_engine_on_grpcio_knows_grpc() -> None:
    who = {name for name in modules() if below(imports(name), "grpc")}

    assert who == {"authz.server.grpc_engine"}


@pytest.mark.parametrize("module", sorted(below(modules(), "authz.http2")))
def test_the_protocol_object_imports_no_other_room_and_nothing_of_the_world(module: str) -> None:
    outside = {name for name in imports(module) if not below([name], "authz.http2")}

    assert outside <= CORE_MAY_IMPORT | {"hpack", "struct", "urllib.parse"}


@pytest.mark.parametrize("module", ["authz.server.supervisor", "authz.cli.serve_command"])
def test_nothing_the_supervisor_ever_imports_leads_to_grpc(module: str) -> None:
    """A process that has loaded grpc must not fork, and the supervisor starts the workers."""
    assert not below(closure(module), "grpc")


def test_nothing_a_worker_loads_at_its_start_leads_to_yaml_or_prometheus() -> None:
    led_to = closure("authz.server.worker", lazy=False)

    assert not below(led_to, "yaml")
    assert not below(led_to, "prometheus_client")
    assert not below(closure("authz.server.worker"), "envoy_data_plane")
    assert not below(closure("authz.server.worker"), "prometheus_client")


def test_the_product_imports_neither_its_tests_nor_its_tools() -> None:
    plugin = "authz.tools.policy_tests.plugin"  # for those who have pytest; pytest loads it, nothing of ours does
    names = {name for module in modules() if module != plugin for name in imports(module)}

    assert plugin not in names
    assert not {name for tool in ("tests", "bench", "docs", "pytest", "hypothesis") for name in below(names, tool)}
