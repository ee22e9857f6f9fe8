"""One running world for the whole session, and the comparison of what was seen with what the document says, last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.world import FIX, PROGRAMS, VENV, World, node, running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-matrix", action="store_true", help="write matrix.json instead of comparing with it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == "test_matrix.py")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if not (VENV / ".ready").exists():
        pytest.skip(f"{VENV.name} is not there: {FIX}")
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def javascript() -> list[str]:
    """How to run Cognito's client for JavaScript."""
    if not node():
        pytest.skip(f"no node, or not its packages: install Node.js 20 or newer and npm; {FIX}")
    return [node(), str(PROGRAMS / "with_cognito_identity_js.mjs")]


@pytest.fixture(scope="session")
def amplify() -> list[str]:
    """How to run Amplify's library for JavaScript."""
    if not node():
        pytest.skip(f"no node, or not its packages: install Node.js 20 or newer and npm; {FIX}")
    return [node(), str(PROGRAMS / "with_amplify.mjs")]


@pytest.fixture(scope="session")
def provider(world: World) -> str:
    """The address of the certified OpenID provider."""
    if not world.provider:
        pytest.skip(f"no node, or not its packages: install Node.js 20 or newer and npm; {FIX}")
    return world.provider


@pytest.fixture(scope="session")
def boto() -> list[str]:
    return [str(VENV / "bin" / "python"), str(PROGRAMS / "with_boto3.py")]


@pytest.fixture(scope="session")
def pycognito() -> list[str]:
    return [str(VENV / "bin" / "python"), str(PROGRAMS / "with_pycognito.py")]
