"""The commands of the documents, run unchanged against a real API server.

What cannot be had here is replaced, and named in `_REPLACED`: chart repositories by the same charts in the Go modules;
`--wait`, and the hook that makes Envoy Gateway's certificates, because no kubelet runs a pod.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from authz.tools.processes.children import child_environment
from tests.cluster.build import module
from tests.cluster.control_plane import KUBECTL, ControlPlane
from tests.deploy.charts import write_own_chart
from tests.deploy.foreign import checked_overlay, foreign
from tests.deploy.helm import CHART, helm
from tests.deploy.manifests import ROOT
from tests.deploy.test_helm_values import LARGEST, with_values
from tests.docs.markdown import blocks
from tests.fakes.certificates import authority_pem, server_pem

_REPLACED = {
    "oci://docker.io/envoyproxy/gateway-helm --version v1.9.1": "charts/gateway-helm --no-hooks",
    " istio/istiod": " charts/istiod",
    " istio/gateway": " charts/gateway",
    " --wait": "",
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The directory in which a reader types: a clone, the certificates, and the charts of other projects."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "tls.crt").write_bytes(server_pem("orders.example.com")[0])
    (tmp_path / "tls.key").write_bytes(server_pem("orders.example.com")[1])
    (tmp_path / "ca.crt").write_bytes(authority_pem())
    istio = module("../planes/istio", "istio.io/istio") / "manifests" / "charts"
    gateway = module("../planes/envoy-gateway", "github.com/envoyproxy/gateway") / "charts" / "gateway-helm"
    for name, source in (
        ("istiod", istio / "istio-control" / "istio-discovery"),
        ("gateway", istio / "gateway"),
        ("gateway-helm", gateway),
    ):
        _copy_writable(source, tmp_path / "charts" / name)
    # Envoy Gateway's release fills the names of its images in.
    values = tmp_path / "charts" / "gateway-helm" / "values.tmpl.yaml"
    text = values.read_text().replace("${GatewayImagePullPolicy}", "IfNotPresent")
    text = text.replace("${GatewayImage}", "docker.io/envoyproxy/gateway:v1.9.1")
    values.with_name("values.yaml").write_text(text)
    return tmp_path


def _copy_writable(source: Path, target: Path) -> None:
    """Files of Go's module cache are read-only."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder, names, _files in os.walk(target):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            path.chmod(0o755)


def _run(cluster: ControlPlane, desk: Path, commands: str, namespace: str, **variables: str) -> str:
    """Run shell commands as the document has them, in a new namespace. Fails at the first that fails."""
    cluster.namespace(namespace)
    config = json.loads(cluster.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    (desk / "kubeconfig").write_text(json.dumps(config))
    tools = desk / "tools"
    tools.mkdir(exist_ok=True)
    for name, program in (("kubectl", KUBECTL), ("helm", Path(helm()))):
        if not (tools / name).exists():
            (tools / name).symlink_to(program)
    for written, replaced in _REPLACED.items():
        commands = commands.replace(written, replaced)
    settings = {**variables, "KUBECONFIG": f"{desk}/kubeconfig", "HOME": str(desk), "PATH": f"{tools}:/usr/bin:/bin"}
    command = ["/bin/sh", "-eu", "-c", commands]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=200, cwd=desk, env=child_environment(**settings)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _commands(document: str, word: str) -> str:
    """The block of shell commands that has this word."""
    block = next(each for each in blocks(ROOT / document, "sh") if word in each.text)
    return block.text


def _names(cluster: ControlPlane, namespace: str, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.get(namespace, kind)}


def test_recipe_for_api_clients(cluster: ControlPlane, desk: Path) -> None:
    said = _run(cluster, desk, _commands("docs/kubernetes.md", "overlays/api-only"), "api-only")

    assert "would violate PodSecurity" not in said
    assert _names(cluster, "api-only", "deployments") == {"orders-api"}
    assert "orders-api-tls" in _names(cluster, "api-only", "secrets")


@pytest.mark.parametrize("document", ["README.md", "README.ja.md"])
def test_recipe_with_a_login(cluster: ControlPlane, desk: Path, document: str) -> None:
    place = f"login-{document.count('.')}"
    commands = _commands(document, "kubectl create secret") + _commands(document, "kubectl apply -k")

    said = _run(cluster, desk, commands, place, CLIENT_SECRET="s3cret")

    assert "would violate PodSecurity" not in said
    assert {"orders-api-login", "orders-api-tls"} <= _names(cluster, place, "secrets")
    (pod,) = (each["spec"]["template"]["spec"] for each in cluster.get(place, "deployments"))
    volume = next(each for each in pod["volumes"] if each["name"] == "envoy-secrets")
    mounted = {each["secret"]["name"] for each in volume["projected"]["sources"] if "secret" in each}
    assert mounted <= _names(cluster, place, "secrets")


def test_recipe_of_a_check_before_the_start(cluster: ControlPlane, desk: Path) -> None:
    overlay = checked_overlay(desk / "checkout")

    said = _run(cluster, desk, f"kubectl apply -k {overlay}", "checked")

    assert "would violate PodSecurity" not in said
    (pod,) = (each["spec"]["template"]["spec"] for each in cluster.get("checked", "deployments"))
    assert [each["name"] for each in pod["initContainers"]] == ["authz-check", "authz"]


@pytest.mark.parametrize("words", [("kind: Kustomization",), ("kind: Kustomization", "$patch: delete")], ids=len)
def test_recipe_for_a_deployment_that_you_have(cluster: ControlPlane, desk: Path, words: tuple[str, ...]) -> None:
    """The kustomizations of the page, beside manifests of somebody else's."""
    place = f"mine-{len(words)}"
    folder = foreign(desk / "checkout", *words)

    _run(cluster, desk, f"kubectl apply -k {folder}", place)

    assert _names(cluster, place, "deployments") == {"legacy"}
    assert len(_names(cluster, place, "podmonitors")) == 2 - len(words)


@pytest.mark.parametrize(
    ("document", "place"), [("docs/shared-tier.md", "shared"), ("deploy/helm/envoy-jwt-authz/README.md", "readme")]
)
def test_recipe_of_the_shared_tier(cluster: ControlPlane, desk: Path, document: str, place: str) -> None:
    values = next(block for block in blocks(ROOT / document, "yaml") if block.text.startswith("tier:"))
    (desk / "tier.yaml").write_text(values.text)

    said = _run(cluster, desk, _commands(document, "helm install"), place)

    assert "STATUS: deployed" in said
    zones = {"authz-zone-a", "authz-zone-b"} if "zones" in values.text else set()
    assert _names(cluster, place, "services") == {"authz"} | zones
    assert _names(cluster, place, "horizontalpodautoscalers") == {"authz"}


def test_tier_with_the_largest_values_is_accepted_by_the_server(cluster: ControlPlane, desk: Path) -> None:
    (values,) = blocks(ROOT / "docs" / "shared-tier.md", "yaml")
    (desk / "tier.yaml").write_text(values.text)
    flags = " ".join(f"'{word}'" if word.startswith("--") else _quoted(word) for word in with_values(LARGEST))

    _run(
        cluster,
        desk,
        f"helm install a{'b' * 40} {CHART} --dry-run=server --namespace largest --values tier.yaml {flags} >rendered\n"
        "sed '1,/^---/d; /^NOTES/,$d' rendered | kubectl apply --server-side --namespace largest -f -",
        "largest",
    )

    assert _names(cluster, "largest", "deployments") == {"a" + "b" * 40}


def _quoted(word: str) -> str:
    escaped = word.replace("'", "'\\''")
    return f"'{escaped}'"


def test_recipe_of_the_sidecar_in_a_chart_of_ones_own(cluster: ControlPlane, desk: Path) -> None:
    chart = write_own_chart(desk / "mine")

    _run(cluster, desk, f"helm install orders {chart} --namespace own", "own")

    assert _names(cluster, "own", "deployments") == {"orders-api"}


def test_recipe_of_envoy_gateway(cluster: ControlPlane, desk: Path) -> None:
    _run(cluster, desk, _commands("docs/envoy-gateway.md", "helm upgrade"), "gateway")

    assert _names(cluster, "gateway", "securitypolicies") >= {"closed", "orders-read", "orders-write"}
    assert "orders-authz" in _names(cluster, "envoy-gateway-system", "configmaps")
    assert "envoy-gateway" in _names(cluster, "envoy-gateway-system", "deployments")


def test_recipe_of_istio(cluster: ControlPlane, desk: Path) -> None:
    cluster.namespace("istio-system")

    _run(cluster, desk, _commands("docs/istio.md", "helm upgrade"), "mesh")

    (gateway,) = (each for each in cluster.get("istio-ingress", "deployments"))
    assert gateway["metadata"]["name"] == "orders-gateway"
    pod = gateway["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["initContainers"]] == ["authz"]
    (mesh,) = (each for each in cluster.get("istio-system", "configmaps") if each["metadata"]["name"] == "istio")
    assert "envoyExtAuthzGrpc" in json.dumps(mesh["data"])


def test_every_replacement_is_of_something_that_a_document_says() -> None:
    text: Mapping[str, str] = {
        name: _commands(name, "helm upgrade") for name in ("docs/envoy-gateway.md", "docs/istio.md")
    }

    assert [written for written in _REPLACED if not any(written in each for each in text.values())] == []
