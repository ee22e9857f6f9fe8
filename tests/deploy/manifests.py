"""Rendered Kubernetes manifests: how kustomize renders them, whether they are valid, what Pod Security refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
"""What the manifests say they need, and the newest release whose schemas are at hand."""

Manifest = dict[str, Any]

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_POD_MONITOR = {"selector", "podMetricsEndpoints", "sampleLimit"}
_ENDPOINT = {"port", "path", "interval", "scrapeTimeout"}


def kustomized(directory: Path | str) -> list[Manifest]:
    """What `kubectl apply -k` sends, without a flag."""
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    done = subprocess.run(
        [kubectl, "kustomize", str(directory)], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: Sequence[Manifest], kind: str, name: str = "") -> Manifest:
    """The manifest of this kind, which must be there once."""
    found = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith(name)]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in manifests]
    return found[0]


def pod_template(manifests: Sequence[Manifest]) -> Manifest:
    """The pod that the Deployment makes."""
    template: Manifest = one(manifests, "Deployment")["spec"]["template"]
    return template


def containers(pod: Manifest) -> dict[str, Manifest]:
    """All containers of a pod's spec by their names, native sidecars among them."""
    return {each["name"]: each for each in [*pod.get("initContainers", []), *pod["containers"]]}


def validate(manifests: Sequence[Manifest], version: str) -> None:
    """Hold manifests against the schemas of a Kubernetes release, and a PodMonitor against the fields that are used."""
    for manifest in manifests:
        if manifest["kind"] == "PodMonitor":
            assert manifest["apiVersion"] == "monitoring.coreos.com/v1"
            assert set(manifest["spec"]) == _POD_MONITOR
            assert all(set(endpoint) == _ENDPOINT for endpoint in manifest["spec"]["podMetricsEndpoints"])
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


def not_restricted(pod: Manifest) -> Iterator[str]:
    """What Pod Security's profile `restricted` refuses in a pod's spec (Kubernetes, Pod Security Standards)."""
    own = pod.get("securityContext", {})
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    yield from (f"volume {each['name']}" for each in pod.get("volumes", []) if not set(each) <= {"name", *_VOLUMES})
    if own.get("sysctls") or own.get("runAsUser") == 0:
        yield "the pod's sysctls or user"
    for name, container in containers(pod).items():
        context = container.get("securityContext", {})
        yield from (f"{name}: {problem}" for problem in _refused(context, own))
        yield from (f"{name}: hostPort" for port in container.get("ports", []) if "hostPort" in port)


def _refused(context: Manifest, pod: Manifest) -> Iterator[str]:
    both = pod | context
    if context.get("privileged") or context.get("procMount", "Default") != "Default":
        yield "privileged or procMount"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "runAsNonRoot"
    if both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if both.get("seLinuxOptions") or both.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield "seLinuxOptions or appArmorProfile"
