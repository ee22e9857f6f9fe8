"""Records what the chart renders, for a reviewer to read: `python -m tests.deploy.snapshots`.

A change of the templates then shows in the diff what it changes in a cluster.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.deploy import charts
from tests.deploy.helm import CHART, run

FOLDER = Path(__file__).with_name("snapshots")

_ALL = """\
image: { digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
monitoring: { podMonitor: false, namespace: prometheus }
tier:
  realm: orders
  workers: 2
  replicas: 6
  port: 9444
  tls: { clients: [orders.example.com, billing.example.com] }
  clientNamespaces: [orders, billing]
  zones: [zone-a, zone-b]
  autoscaling: { enabled: false }
  maxUnavailable: 2
  authzCPU: "2"
"""


def rendered() -> Iterator[tuple[str, str]]:
    """Name and text of each rendering: the tier, the tier with every value changed, the sidecar, one with a login."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tier.yaml").write_text(charts.TIER)
        (folder / "all.yaml").write_text(_ALL)
        tier = ("--values", str(folder / "tier.yaml"))
        own = charts.write_own_chart(folder)
        yield "tier.yaml", _text("authz", CHART, *tier)
        yield "tier-every-value.yaml", _text("authz", CHART, *tier, "--values", str(folder / "all.yaml"))
        yield "sidecar.yaml", _text("orders", own)
        charts.add_login(own)
        yield (
            "sidecar-login.yaml",
            _text("orders", own, "--set", "envoy-jwt-authz.sidecar.loginSecret=orders-api-login"),
        )


def _text(name: str, chart: Path, *arguments: str) -> str:
    done = run("template", name, str(chart), "--namespace", "shared", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> int:
    """Write every snapshot."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{(FOLDER / name).relative_to(Path.cwd())}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
