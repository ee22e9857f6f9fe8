"""The wheel: the same bytes from the same sources, with all that runs and nothing that only tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = ("authz", "deploy", "pyproject.toml", "README.md", "LICENSE")


def _build(checkout: Path) -> Path:
    """A wheel from a copy of the sources, whose files have other times and another place than the originals."""
    checkout.mkdir()
    for name in _SOURCES:
        source = _ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy
            )
        else:
            shutil.copy(source, checkout / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, timeout=60, env=environment)
    [wheel] = (checkout / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("wheels")
    return _build(place / "one"), _build(place / "another")


def test_two_builds_in_two_places_give_the_same_bytes(wheels: tuple[Path, Path]) -> None:
    one, another = (hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)

    assert one == another


def test_everything_that_runs_is_in_it_and_nothing_else(wheels: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = set(wheel.namelist())

    ours = {str(path.relative_to(_ROOT)) for path in (_ROOT / "authz").rglob("*") if path.is_file()}
    running = {name for name in ours if "__pycache__" not in name}
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == running | {"authz/tools/demo/envoy.yaml"}
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_it_runs_from_the_wheel_alone(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    """The sources are out of reach: an import that finds them would hide a file that is missing in the wheel."""
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import authz.cli.main
print(authz.cli.main.__file__)
authz.cli.main.main(["reasons"])
"""

    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.startswith(str(tmp_path))
    assert "token_expired" in done.stdout
