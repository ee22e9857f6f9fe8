"""Draws the dashboard of deploy/grafana with the data of a real sidecar and a real Prometheus, into docs/images.

python -m drills.dashboard

Grafana does not run: Prometheus answers the dashboard's queries, and matplotlib draws the panels. Prometheus must be
installed (Debian: `apt-get install prometheus`). It takes about 80 seconds.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from authz.tools.processes.machine import LOOPBACK, free_port
from drills import dashboard_load
from drills.dashboard_panels import Series, draw
from drills.sidecar import READY_SECONDS

_ROOT = Path(__file__).parents[1]
DASHBOARD = _ROOT / "deploy" / "grafana" / "authz.json"
PICTURE = _ROOT / "docs" / "images" / "dashboard.png"
_ALERTS = _ROOT / "deploy" / "prometheus" / "alerts.yaml"
_RATE_SECONDS = 10


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard."""
    return list(json.loads(DASHBOARD.read_text("utf-8"))["panels"])


def fingerprint() -> str:
    """The SHA-256 of the panels. The picture names the one it was drawn from."""
    return hashlib.sha256(json.dumps(panels(), sort_keys=True).encode()).hexdigest()


def filled(query: str) -> str:
    """The query with the dashboard's variables at their defaults, All."""
    for name in ("namespace", "job", "pod"):
        query = query.replace(f"${name}", ".*")
    return query.replace("$__rate_interval", f"{_RATE_SECONDS}s")


def main() -> int:
    """Load, scrape, ask, draw."""
    if shutil.which("prometheus") is None:
        print("prometheus is not installed. Install it: apt-get install prometheus", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="authz-dash-") as name,
        dashboard_load.running(Path(name)) as loaded,
        _prometheus(Path(name), loaded.admin) as address,
    ):
        began = time.time()
        dashboard_load.send(loaded)
        ended = time.time()
        data = [_series(address, panel, began, ended) for panel in panels()]
    empty = [
        panel["title"] for panel, series in zip(panels(), data, strict=True) if panel["type"] != "row" and not series
    ]
    if empty:
        print(f"no data: {', '.join(empty)}", file=sys.stderr)
        return 1
    draw(panels(), data, PICTURE, fingerprint())
    print(f"{PICTURE}: {len(data)} panels, {PICTURE.stat().st_size:,} bytes")
    return 0


@contextmanager
def _prometheus(place: Path, target: str) -> Iterator[str]:
    address = f"{LOOPBACK}:{free_port()}"
    labels = {"namespace": "shop", "pod": "orders-1"}
    job = {"job_name": "authz", "static_configs": [{"targets": [target], "labels": labels}]}
    timing = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = place / "prometheus.yml"
    config.write_text(
        yaml.safe_dump({"global": timing, "rule_files": [str(_ALERTS)], "scrape_configs": [job]}), "utf-8"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={place}/tsdb"]
    with (place / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log, stdout=log)
    try:
        time.sleep(3)
        if process.poll() is not None:
            raise RuntimeError((place / "prometheus.log").read_text("utf-8"))
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def _series(address: str, panel: Mapping[str, Any], began: float, ended: float) -> list[Series]:
    found = []
    for target in panel.get("targets", ()):
        question = {"query": filled(target["expr"]), "start": began, "end": ended, "step": 1}
        with urllib.request.urlopen(f"{address}/api/v1/query_range?{urlencode(question)}") as answer:  # noqa: S310
            results = json.load(answer)["data"]["result"]
        for result in results:
            points = [(float(t) - began, float(v)) for t, v in result["values"] if v not in {"NaN", "+Inf"}]
            if points:
                found.append(Series(result["metric"], target["legendFormat"], points))
    return found


if __name__ == "__main__":
    sys.exit(main())
