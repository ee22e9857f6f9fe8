"""deploy/envoy-gateway and deploy/istio, as kustomize renders them. `make planes` runs the control planes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from authz.core.policy_lookup import PolicyLookup
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.settings import Settings, read_settings
from tests.docs.markdown import blocks
from tests.planes.plane import values
from tests.planes.scene import ROOT, Document, rendered

_OLDEST = "1.29"
"""The first with native sidecars."""

_FOLDERS = ["envoy-gateway", "istio"]
_OF_KUBERNETES = {"ConfigMap", "NetworkPolicy"}


@pytest.fixture(scope="module", params=_FOLDERS)
def folder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def documents(folder: str) -> list[Document]:
    return rendered(folder)


def _settings(folder: str) -> Settings:
    path = ROOT / "deploy" / folder / "authz.yaml"
    return read_settings(path.read_text(encoding="utf-8"), str(path), need_endpoints=False)


def test_rendered_documents_are_valid_for_the_oldest_and_the_newest_kubernetes(documents: list[Document]) -> None:
    checked = [each for each in documents if each["kind"] in _OF_KUBERNETES]

    for each in checked:
        for version in (_OLDEST, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(each, version, strict=True)

    assert {each["kind"] for each in checked} == _OF_KUBERNETES


def test_sidecars_container_is_valid_for_the_oldest_and_the_newest_kubernetes(folder: str) -> None:
    pod = _pod(folder)
    spec = {name: pod[name] for name in ("initContainers", "volumes")} | {"containers": [{"name": "e", "image": "e"}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}

    for version in (_OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_sidecars_own_file_is_read_without_a_mistake_or_a_warning(folder: str) -> None:
    assert _settings(folder).warnings == ()


def test_every_policy_that_a_route_names_is_known(folder: str, documents: list[Document]) -> None:
    policies = PolicyLookup(_settings(folder).configuration.references, parse_inline_policy)
    named = sorted(_named(documents))

    assert named == ["deny", "orders-read", "orders-write", "public"]
    assert all(policies.find(name) for name in named)


def test_envoy_asks_the_socket_on_which_the_sidecar_listens(folder: str, documents: list[Document]) -> None:
    (sidecar,) = _pod(folder)["initContainers"]
    settings = {each["name"]: each["value"] for each in sidecar["env"]}
    mounts = {each["mountPath"]: each["name"] for each in sidecar["volumeMounts"]}
    (envoys,) = _pod(folder)["volumeMounts"]

    assert settings["AUTHZ_LISTEN"].removeprefix("unix:") in str(list(values(documents, "endpoints")))
    assert Path(settings["AUTHZ_LISTEN"].removeprefix("unix:")).parent == Path("/run/authz")
    assert envoys == {"name": mounts["/run/authz"], "mountPath": "/run/authz", "readOnly": True}


def test_config_map_is_the_one_that_the_pod_mounts(folder: str, documents: list[Document]) -> None:
    (config,) = (each for each in documents if each["kind"] == "ConfigMap")
    mounted = [each["configMap"]["name"] for each in _pod(folder)["volumes"] if "configMap" in each]

    assert [config["metadata"]["name"]] == mounted
    assert config["data"] == {"authz.yaml": (ROOT / "deploy" / folder / "authz.yaml").read_text(encoding="utf-8")}


def test_nobody_but_monitoring_reaches_the_admin_port(folder: str, documents: list[Document]) -> None:
    (policy,) = (each for each in documents if each["kind"] == "NetworkPolicy")
    (sidecar,) = _pod(folder)["initContainers"]
    (admin,) = (each["containerPort"] for each in sidecar["ports"])

    everybody, monitoring = policy["spec"]["ingress"]
    tcp = [each for each in everybody["ports"] if each.get("protocol", "TCP") == "TCP"]

    assert monitoring["ports"] == [{"port": admin}]
    assert not any(each["port"] <= admin <= each["endPort"] for each in tcp)


def test_examples_of_the_page_are_parts_of_the_files(folder: str, documents: list[Document]) -> None:
    shown = [
        part
        for block in blocks(ROOT / "docs" / f"{folder}.md")
        if block.language in {"yaml", "text"}
        for part in _parts(yaml.safe_load(block.text))
    ]

    assert shown
    assert [part for part in shown if part not in [*documents, *_patches(documents)]] == []


def _parts(example: object) -> list[Any]:
    return example if isinstance(example, list) else [example]


def _patches(documents: list[Document]) -> list[Any]:
    return [patch for patches in values(documents, "configPatches") for patch in patches]


def _pod(folder: str) -> Document:
    """What the control plane's chart or controller knows about Envoy's pod."""
    if folder == "istio":
        text = (ROOT / "deploy" / "istio" / "gateway-values.yaml").read_text(encoding="utf-8")
        return dict(yaml.safe_load(text))
    (proxy,) = (each for each in rendered(folder) if each["kind"] == "EnvoyProxy")
    deployment = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    return {**deployment["pod"], **deployment["container"], "initContainers": deployment["initContainers"]}


def _named(documents: list[Document]) -> set[str]:
    native = [each for found in values(documents, "contextExtensions") for each in found]
    patched = values(documents, "context_extensions")
    return {each["value"] for each in native} | {each["policy"] for each in patched}
