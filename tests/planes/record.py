"""Records what the two control planes make of deploy/, as Envoy shows it: `python -m tests.planes.record`.

Envoy's /config_dump, without what does not matter to a reader of routes and filters: the bootstrap's list of
extensions, times, versions and certificates.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.planes.envoy_gateway import envoy_gateway
from tests.planes.istio_generator import istio
from tests.planes.plane import Plane

DUMPS = Path(__file__).with_name("dumps")

_KEPT = ("BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump")
_LEFT_OUT = frozenset({"extensions", "last_updated", "version_info", "access_log", "client_status"})


def main() -> int:
    """Start both planes in turn and write one file for each."""
    for start in (envoy_gateway, istio):
        with start() as plane:
            plane.restore()
            write(plane, plane.config_dump())
    return 0


def write(plane: Plane, dump: dict[str, Any]) -> None:
    """Write the dump as small as it says the same."""
    configs = [each for each in dump["configs"] if each["@type"].rpartition(".")[2] in _KEPT]
    text = json.dumps(_reduced({"configs": configs}), indent=1).replace(str(plane.scene.directory), "/run/authz")
    DUMPS.mkdir(exist_ok=True)
    (DUMPS / f"{plane.name}.json").write_text(text + "\n", encoding="utf-8")


def _reduced(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reduced(item) for name, item in value.items() if name not in _LEFT_OUT}
    return [_reduced(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
