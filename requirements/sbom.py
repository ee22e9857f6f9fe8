"""Writes requirements/sbom.cdx.json, what an installation consists of, from what `uv export` says (CycloneDX 1.5).

    uv export --no-dev --format cyclonedx1.5 | python requirements/sbom.py

Left out is what differs from run to run (time, serial number) and where packages were downloaded from: a mirror is an
accident of the machine, and the hashes to install by are in runtime.txt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

bom = json.load(sys.stdin)
bom.pop("serialNumber", None)
bom["metadata"].pop("timestamp", None)
for component in bom["components"]:
    component.pop("externalReferences", None)
text = json.dumps(bom, indent=1, sort_keys=True) + "\n"
Path(__file__).with_name("sbom.cdx.json").write_text(text, encoding="utf-8")
