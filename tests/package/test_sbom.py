"""requirements/sbom.cdx.json names exactly what requirements/runtime.txt installs."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

_REQUIREMENTS = Path(__file__).parents[2] / "requirements"
_PROJECT = _REQUIREMENTS.parent / "pyproject.toml"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def test_bill_of_materials_names_every_pinned_package_and_no_other() -> None:
    bom = json.loads((_REQUIREMENTS / "sbom.cdx.json").read_text(encoding="utf-8"))
    pinned = _PIN.findall((_REQUIREMENTS / "runtime.txt").read_text(encoding="utf-8"))

    assert {(one["name"], one["version"]) for one in bom["components"]} == set(pinned)


def test_every_pinned_package_is_locked_with_hashes() -> None:
    for name in ("build.txt", "runtime.txt", "dev.txt"):
        text = (_REQUIREMENTS / name).read_text(encoding="utf-8")
        packages = [part for part in re.split(r"\n(?=[a-z0-9])", text) if _PIN.match(part)]

        assert packages
        assert all("--hash=sha256:" in package for package in packages)


def test_build_backend_of_the_image_is_the_locked_one_of_everybody_else() -> None:
    """An unlocked backend would run code of its own over locked dependencies."""
    backend = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["build-system"]["requires"]
    wanted = {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in backend}
    pinned = dict(_PIN.findall((_REQUIREMENTS / "build.txt").read_text(encoding="utf-8")))
    elsewhere = dict(_PIN.findall((_REQUIREMENTS / "dev.txt").read_text(encoding="utf-8")))

    assert wanted <= set(pinned)
    assert {name: elsewhere.get(name, version) for name, version in pinned.items()} == pinned
