"""Builds etcd and kube-apiserver from their Go modules, once: `python -m tests.cluster.build`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.planes import build
from tests.planes.build import Program

_HERE = Path(__file__).parent
_KUBERNETES = _HERE / "kubernetes"

VERSION = "1.36.3"
_STAMP = "-X k8s.io/component-base/version."

ETCD = Program("etcd", _KUBERNETES, "go.etcd.io/etcd/server/v3", "2 CPU-minutes")
API_SERVER = Program(
    "kube-apiserver",
    _KUBERNETES,
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "10 CPU-minutes",
    f"{_STAMP}gitVersion=v{VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor={VERSION.split('.')[1]}",
)
PROGRAMS = (ETCD, API_SERVER)

_DEFINITIONS = (
    ("definitions", "github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd"),
    ("../planes/envoy-gateway", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds"),
    ("../planes/istio", "istio.io/istio", "manifests/charts/base/files"),
)
"""The go.mod that pins the module, the module, and the folder of its custom resource definitions."""


def module(folder: str, name: str) -> Path:
    """The folder of a module that a go.mod beside this file pins. Downloads it if it is not there."""
    command = ["go", "mod", "download", "-json", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, cwd=_HERE / folder)
    return Path(json.loads(done.stdout)["Dir"])


def definitions() -> list[Path]:
    """Files with the custom resources that deploy/ uses: PodMonitor, Gateway API, Envoy Gateway, Istio."""
    wanted = ("*podmonitors.yaml", "gatewayapi-crds.yaml", "gateway.envoyproxy.io_*.yaml", "crd-all.gen.yaml")
    folders = [module(folder, name) / place for folder, name, place in _DEFINITIONS]
    return sorted(file for folder in folders for pattern in wanted for file in folder.rglob(pattern))


if __name__ == "__main__":
    sys.exit(build.main(PROGRAMS))
