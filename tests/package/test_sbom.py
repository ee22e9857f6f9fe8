"""requirements/sbom.cdx.json names exactly what requirements/runtime.txt installs."""

from __future__ import annotations

import json
import re
from pathlib import Path

_REQUIREMENTS = Path(__file__).parents[2] / "requirements"
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def test_bill_of_materials_names_every_pinned_package_and_no_other() -> None:
    bom = json.loads((_REQUIREMENTS / "sbom.cdx.json").read_text(encoding="utf-8"))
    pinned = _PIN.findall((_REQUIREMENTS / "runtime.txt").read_text(encoding="utf-8"))

    assert {(one["name"], one["version"]) for one in bom["components"]} == set(pinned)


def test_every_pinned_package_is_locked_with_hashes() -> None:
    for name in ("runtime.txt", "dev.txt"):
        text = (_REQUIREMENTS / name).read_text(encoding="utf-8")
        packages = [part for part in re.split(r"\n(?=[a-z0-9])", text) if _PIN.match(part)]

        assert packages
        assert all("--hash=sha256:" in package for package in packages)
