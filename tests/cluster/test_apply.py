"""Everything in deploy/, applied to a real API server in a namespace that Pod Security restricts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.cluster.control_plane import RESTRICTED, ControlPlane
from tests.deploy import snapshots
from tests.deploy.manifests import Manifest, kustomized, one, pod_template

_KUSTOMIZATIONS = (
    "deploy/kubernetes/base",
    "deploy/kubernetes/overlays/api-only",
    "deploy/kubernetes/overlays/login",
    "deploy/envoy-gateway",
    "deploy/istio",
)
_RENDERINGS = ("sidecar-login.yaml", "sidecar.yaml", "tier-every-value.yaml", "tier.yaml")
_SOURCES = (*_KUSTOMIZATIONS, *_RENDERINGS)


def _manifests(source: str) -> list[Manifest]:
    """The manifests of a source, without the namespaces that they name: test_recipes.py creates those."""
    if source in _KUSTOMIZATIONS:
        found = kustomized(source)
    else:
        found = list(yaml.safe_load_all((snapshots.FOLDER / source).read_text(encoding="utf-8")))
    for manifest in filter(None, found):
        manifest["metadata"].pop("namespace", None)
    return [manifest for manifest in found if manifest]


@pytest.fixture(params=_SOURCES, ids=lambda source: source.replace("/", "-"))
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def space(cluster: ControlPlane, source: str) -> str:
    """A namespace for one source."""
    name = "t-" + source.removeprefix("deploy/").removesuffix(".yaml").replace("/", "-")
    cluster.namespace(name)
    return name


def _applied(cluster: ControlPlane, source: str, space: str) -> list[Manifest]:
    """Apply a source. Pod Security must have nothing to warn about."""
    manifests = _manifests(source)
    assert "would violate PodSecurity" not in cluster.apply(manifests, space)
    return manifests


def test_every_manifest_is_accepted_without_a_warning_of_pod_security(
    cluster: ControlPlane, source: str, space: str
) -> None:
    assert _applied(cluster, source, space)


def test_applied_twice_nothing_changes(cluster: ControlPlane, source: str, space: str) -> None:
    """A field that the server rewrites would be a difference forever, for Argo CD and for `kubectl diff`."""
    manifests = _applied(cluster, source, space)
    kinds = ",".join(sorted({_full_kind(each) for each in manifests}))
    applied = {(each["kind"], each["metadata"]["name"]) for each in manifests}

    def versions() -> dict[tuple[str, str], str]:
        found = cluster.get(space, kinds)
        seen = {(each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"] for each in found}
        return {key: version for key, version in seen.items() if key in applied}

    before = versions()
    _applied(cluster, source, space)

    assert set(before) == applied
    assert versions() == before


def _full_kind(manifest: Manifest) -> str:
    """A kind as kubectl takes it without a doubt: the Gateway API and Istio both have a Gateway."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    return f"{manifest['kind']}.{version}.{group}"


@pytest.fixture(params=[source for source in _SOURCES if source not in {"deploy/envoy-gateway", "deploy/istio"}])
def pod(cluster: ControlPlane, request: pytest.FixtureRequest) -> tuple[str, Manifest]:
    """The namespace and the pod of a source with a Deployment."""
    source = str(request.param)
    space = "p-" + source.removeprefix("deploy/").removesuffix(".yaml").replace("/", "-")
    cluster.namespace(space)
    return space, copy.deepcopy(pod_template(_applied(cluster, source, space))["spec"])


def test_pod_is_admitted_to_a_restricted_namespace(cluster: ControlPlane, pod: tuple[str, Manifest]) -> None:
    space, spec = pod

    assert cluster.admit(spec, space) == ""


@pytest.mark.parametrize(
    "loosen",
    [
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: pod["initContainers"][0]["securityContext"].update(runAsUser=0),
        lambda pod: pod["containers"][0]["securityContext"].pop("capabilities"),
    ],
)
def test_pod_that_is_less_restricted_is_refused(
    cluster: ControlPlane, pod: tuple[str, Manifest], loosen: Callable[[Any], object]
) -> None:
    """The namespace is really restricted."""
    space, spec = pod
    loosen(spec)

    assert 'violates PodSecurity "restricted' in cluster.admit(spec, space)


_MISSPELT = (
    ("deploy/kubernetes/base", "Deployment"),
    ("deploy/kubernetes/base", "PodMonitor"),
    ("deploy/envoy-gateway", "SecurityPolicy"),
    ("deploy/envoy-gateway", "EnvoyProxy"),
    ("deploy/istio", "AuthorizationPolicy"),
    ("deploy/istio", "EnvoyFilter"),
    ("tier.yaml", "HorizontalPodAutoscaler"),
)


@pytest.mark.parametrize(("source_of_kind", "kind"), _MISSPELT)
def test_misspelt_field_is_refused(cluster: ControlPlane, source_of_kind: str, kind: str) -> None:
    cluster.namespace("misspelt")
    manifest = next(each for each in _manifests(source_of_kind) if each["kind"] == kind)
    manifest["spec"]["mispelt"] = 1

    done = cluster.try_apply([manifest], "misspelt")

    assert done.returncode != 0
    assert "mispelt" in done.stderr


def test_labels_of_the_restricted_namespaces_name_the_profile(cluster: ControlPlane) -> None:
    cluster.namespace("labelled")

    (space,) = (each for each in cluster.get("labelled", "namespaces") if each["metadata"]["name"] == "labelled")
    assert RESTRICTED.items() <= space["metadata"]["labels"].items()


def test_disruption_budget_and_service_select_the_pods_of_the_deployment(cluster: ControlPlane) -> None:
    """As the server selects: by its own reading of the selectors."""
    cluster.namespace("selected")
    manifests = _applied(cluster, "tier.yaml", "selected")
    labels = pod_template(manifests)["metadata"]["labels"]
    pod = {"metadata": {"name": "one", "labels": labels}, "spec": pod_template(manifests)["spec"]}
    cluster.apply([{"apiVersion": "v1", "kind": "Pod", **pod}], "selected")
    selectors = [
        one(manifests, "Service")["spec"]["selector"],
        one(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        text = ",".join(f"{name}={value}" for name, value in selector.items())
        assert [each["metadata"]["name"] for each in cluster.get("selected", "pods", "--selector", text)] == ["one"]
