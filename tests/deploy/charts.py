"""The chart as its README and docs/shared-tier.md use it: the values of the tier, and a chart of a user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.deploy.helm import CHART, run
from tests.deploy.manifests import ROOT
from tests.docs.markdown import blocks

TIER, _DEPENDENCY, _SIDECAR = (block.text for block in blocks(CHART / "README.md", "yaml"))
_DEPLOYMENT, _RESOURCES = (block.text for block in blocks(CHART / "README.md", "text"))
_LOGIN = ROOT / "deploy" / "kubernetes" / "overlays" / "login"


def write_own_chart(folder: Path) -> Path:
    """Write a user's own chart below the folder, made of the README's examples, unchanged."""
    chart = folder / "orders"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: orders\nversion: 1.0.0\n{_DEPENDENCY}")
    (chart / "values.yaml").write_text(_SIDECAR)
    (chart / "templates" / "deployment.yaml").write_text(_DEPLOYMENT)
    (chart / "templates" / "sidecar.yaml").write_text(_RESOURCES)
    shutil.copy(ROOT / "deploy" / "kubernetes" / "base" / "envoy.yaml", chart)
    shutil.copytree(CHART, folder / "envoy-jwt-authz")
    done = run("dependency", "build", str(chart))
    assert done.returncode == 0, done.stderr
    return chart


def add_login(chart: Path) -> None:
    """Add a login as the README says: both envoy.yaml and the pages."""
    shutil.copytree(_LOGIN, chart, dirs_exist_ok=True)
