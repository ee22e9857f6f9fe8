"""deploy/kubernetes, rendered by kustomize without a flag: valid, with the shipped Envoy configuration, locked down."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.envoy import document
from authz.tools.init import pages
from authz.tools.processes.machine import envoy_command
from deploy import copies, generate
from tests.deploy.foreign import FOREIGN, checked_overlay, copy_of_base, foreign
from tests.deploy.manifests import (
    NEWEST,
    OLDEST,
    ROOT,
    Manifest,
    containers,
    kustomized,
    not_restricted,
    one,
    pod_template,
    validate,
)

_FOLDER = ROOT / "deploy" / "kubernetes"
_SHIPPED = ["base", "overlays/api-only", "overlays/login"]


@pytest.fixture(scope="module", params=_SHIPPED)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return kustomized(_FOLDER / request.param)


@pytest.fixture(scope="module")
def pod(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = pod_template(manifests)["spec"]
    return spec


@pytest.fixture(scope="module")
def envoy_yaml(manifests: list[Manifest]) -> Any:
    return document.read(one(manifests, "ConfigMap")["data"]["envoy.yaml"], "envoy.yaml").data


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_are_valid_for_the_oldest_and_the_newest_kubernetes(manifests: list[Manifest], version: str) -> None:
    validate(manifests, version)

    kinds = sorted(each["kind"] for each in manifests)
    expected = ["ConfigMap", "Deployment", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"]
    assert kinds == [*expected, "Service", "ServiceAccount"]


def test_every_generated_file_is_as_the_generator_writes_it() -> None:
    stale = [
        name
        for name, text in generate.written().items()
        if (generate.DEPLOY / name).read_text(encoding="utf-8") != text
    ]

    assert stale == []


@pytest.mark.parametrize(
    ("source", "copy_of"), [("envoy.yaml", copies.login), ("examples/cognito-api-only.yaml", copies.api_only)]
)
def test_copy_means_its_source_and_a_listener_for_statistics(source: str, copy_of: Callable[[str], str]) -> None:
    """The oracle: both texts as Envoy reads them, not as lines."""
    text = generate.written()[source]
    shipped, copied = document.read(text, "a").data, document.read(copy_of(text), "b").data

    resources = copied["static_resources"]
    resources["listeners"] = [each for each in resources["listeners"] if each["name"] != "metrics"]
    assert resources["clusters"].pop()["name"] == "envoy-admin"
    app = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    app["socket_address"]["port_value"] = int(app["socket_address"]["port_value"])
    assert copied == shipped


def test_api_only_copy_has_no_trace_of_a_login() -> None:
    text = generate.written()["kubernetes/base/envoy.yaml"].lower()

    traces = ("oauth2", "cookie-key", "client-secret", "allow_failed_matcher", "amazoncognito.com", ".html")
    assert [trace for trace in traces if trace in text] == []


@pytest.mark.parametrize("part", ["  id: orders-api", "  clusters:", "domains: [orders.example.com]"])
def test_generator_names_the_part_that_a_changed_source_lacks(part: str) -> None:
    text = generate.written()["envoy.yaml"].replace(part, "gone: 1")

    with pytest.raises(copies.OutOfStep, match=r"matches \d times, not once\. Adapt deploy/copies\.py"):
        copies.login(text)


def test_client_of_the_tier_is_not_written_from_a_source_with_another_last_cluster() -> None:
    text = generate.written()["examples/cognito-api-only.yaml"].rstrip("\n") + "\n\n  - name: other\n"

    with pytest.raises(copies.OutOfStep, match="not the last cluster"):
        copies.tier_client_file(text)


def test_config_map_has_exactly_the_pages_that_envoy_yaml_names(manifests: list[Manifest]) -> None:
    data = one(manifests, "ConfigMap")["data"]
    named = set(re.findall(rf"filename: {pages.INSTALLED}/(\S+\.html)", data["envoy.yaml"]))

    held = {name: text for name, text in data.items() if name.endswith(".html")}

    assert held == (dict(pages.files()) if "envoy.filters.http.oauth2" in data["envoy.yaml"] else {})
    assert set(held) == named


def test_envoy_and_authz_mount_every_key_of_the_config_map_beside_envoy_yaml(pod: Manifest) -> None:
    volume = next(each for each in pod["volumes"] if each["name"] == "envoy-config")
    mounts = {
        name: (mount["mountPath"], "subPath" in mount)
        for name, each in containers(pod).items()
        for mount in each.get("volumeMounts", [])
        if mount["name"] == "envoy-config"
    }

    assert volume["configMap"] == {"name": "envoy-jwt-authz"}
    assert mounts == {"authz": (pages.INSTALLED, False), "envoy": (pages.INSTALLED, False)}


def test_envoy_and_lint_accept_the_rendered_configuration(manifests: list[Manifest], tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    data = one(manifests, "ConfigMap")["data"]
    for name in ("client-secret.yaml", "cookie-key.yaml", "server-certificate.yaml"):
        (secrets / name).touch()
    for name, text in data.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    text = pages.local(data["envoy.yaml"], tmp_path).replace("/etc/envoy/secrets", str(secrets))
    (tmp_path / "envoy.yaml").write_text(text, encoding="utf-8")

    command = [envoy_command(), "--mode", "validate", "--log-level", "error", "-c", str(tmp_path / "envoy.yaml")]
    validated = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert validated.returncode == 0, validated.stderr
    assert _lint(tmp_path / "envoy.yaml") == 0


def _lint(file: Path) -> int:
    from authz.cli.main import main  # noqa: PLC0415 - the command, not a part of it

    return main(["lint", str(file)])


def test_pod_monitor_finds_the_ports_of_both_containers(manifests: list[Manifest], pod: Manifest) -> None:
    monitor = one(manifests, "PodMonitor")["spec"]
    ports = {port["name"]: name for name, each in containers(pod).items() for port in each.get("ports", [])}

    scraped = {ports[endpoint["port"]]: endpoint["path"] for endpoint in monitor["podMetricsEndpoints"]}

    assert scraped == {"authz": "/metrics", "envoy": "/stats/prometheus"}


def test_network_policy_admits_clients_to_envoy_and_monitoring_to_the_metrics(
    manifests: list[Manifest], pod: Manifest
) -> None:
    clients, monitoring = one(manifests, "NetworkPolicy", "-ingress")["spec"]["ingress"]
    numbers = {
        port["name"]: port["containerPort"] for each in containers(pod).values() for port in each.get("ports", [])
    }

    assert clients == {"ports": [{"port": numbers["https"]}]}
    assert [port["port"] for port in monitoring["ports"]] == [numbers["authz-admin"], numbers["envoy-metrics"]]
    assert monitoring["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


def test_every_selector_chooses_the_pod(manifests: list[Manifest]) -> None:
    labels = pod_template(manifests)["metadata"]["labels"].items()

    assert one(manifests, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels
    assert one(manifests, "Service")["spec"]["selector"].items() <= labels
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        assert one(manifests, kind)["spec"]["selector"]["matchLabels"].items() <= labels
    for name in ("-ingress", "-egress"):
        assert one(manifests, "NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"].items() <= labels


def test_envoy_and_authz_mount_the_directory_of_the_socket_that_envoy_yaml_names(
    pod: Manifest, envoy_yaml: Any
) -> None:
    clusters = {cluster["name"]: cluster for cluster in envoy_yaml["static_resources"]["clusters"]}
    endpoint = clusters["authz"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    directory = str(Path(endpoint["address"]["pipe"]["path"]).parent)

    mounts = {
        name: mount.get("readOnly", False)
        for name, container in containers(pod).items()
        for mount in container.get("volumeMounts", [])
        if mount["mountPath"] == directory
    }

    assert mounts == {"authz": False, "envoy": True}


def test_secrets_are_mounted_in_envoy_alone(pod: Manifest) -> None:
    holders = [
        name
        for name, container in containers(pod).items()
        for mount in container.get("volumeMounts", [])
        if mount["name"] == "envoy-secrets"
    ]

    assert holders == ["envoy"]


def test_every_secret_file_that_envoy_yaml_names_is_in_the_volume(manifests: list[Manifest], pod: Manifest) -> None:
    """NAME-login holds the two secrets of a login, NAME-tls the certificate."""
    text = one(manifests, "ConfigMap")["data"]["envoy.yaml"]
    volume = next(each for each in pod["volumes"] if each["name"] == "envoy-secrets")
    names = {source["secret"]["name"] for source in volume["projected"]["sources"] if "secret" in source}

    expected = {"orders-api-tls"} | ({"orders-api-login"} if "client-secret.yaml" in text else set())
    assert names == expected


def test_pod_passes_the_restricted_profile_of_pod_security(pod: Manifest) -> None:
    assert list(not_restricted(pod)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda pod: pod.update(hostNetwork=True), "hostNetwork"),
        (lambda pod: pod["volumes"].append({"name": "root", "hostPath": {"path": "/"}}), "volume root"),
        (lambda pod: pod["securityContext"].pop("seccompProfile"), "envoy: seccompProfile"),
        (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "envoy: runAsNonRoot"),
        (lambda pod: pod["containers"][0].pop("securityContext"), "envoy: capabilities"),
        (lambda pod: pod["initContainers"][0]["securityContext"].update(runAsUser=0), "authz: runAsNonRoot"),
        (lambda pod: pod["containers"][0]["ports"][0].update(hostPort=8443), "envoy: hostPort"),
        (lambda pod: pod["containers"][1]["securityContext"].update(privileged=True), "app: privileged or procMount"),
    ],
)
def test_a_pod_that_is_less_restricted_is_noticed(pod: Manifest, change: Any, problem: str) -> None:
    changed = copy.deepcopy(pod)
    change(changed)

    assert problem in list(not_restricted(changed))


def test_every_container_has_a_read_only_root_a_memory_limit_and_a_user_of_its_own(pod: Manifest) -> None:
    users = {each["securityContext"]["runAsUser"] for each in containers(pod).values()}

    assert len(users) == len(containers(pod)) == 3
    assert pod["automountServiceAccountToken"] is False
    for container in containers(pod).values():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]


def test_sidecar_is_probed_for_life_at_livez_and_for_traffic_at_readyz(pod: Manifest) -> None:
    sidecar = containers(pod)["authz"]
    asked = {name: sidecar[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}

    assert sidecar["restartPolicy"] == "Always"
    assert asked == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}


def test_pod_gets_more_time_to_end_than_its_parts_take_one_after_the_other(pod: Manifest) -> None:
    sleeps = [
        container["lifecycle"]["preStop"]["sleep"]["seconds"]
        for container in containers(pod).values()
        if "lifecycle" in container
    ]
    drain = {each["name"]: each["value"] for each in containers(pod)["authz"]["env"]}["AUTHZ_DRAIN"]

    assert pod["terminationGracePeriodSeconds"] > max(sleeps) + int(drain.removesuffix("s"))


def test_another_name_host_and_port_are_written_everywhere_from_one_place_each(tmp_path: Path) -> None:
    changed = copy_of_base(tmp_path, {"name: orders-api ": "name: shop ", "=orders.example.com": "=shop.example.org"})
    (changed / "kustomization.yaml").write_text(
        (changed / "kustomization.yaml").read_text().replace("port=8080", "port=3000").replace("=monitoring", "=prom")
    )

    rendered = kustomized(changed)

    config = document.read(one(rendered, "ConfigMap")["data"]["envoy.yaml"], "envoy.yaml").data
    app = config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    probe = containers(pod_template(rendered)["spec"])["envoy"]["readinessProbe"]["httpGet"]
    assert (config["node"]["id"], config["node"]["cluster"]) == ("shop", "shop")
    assert app["address"]["socket_address"]["port_value"] == "3000"
    assert manager["route_config"]["virtual_hosts"][0]["domains"] == ["shop.example.org"]
    assert probe["httpHeaders"] == [{"name": "Host", "value": "shop.example.org"}]
    del config["node"]["metadata"]
    text = yaml.safe_dump_all([config, *(each for each in rendered if each["kind"] != "ConfigMap")])
    left = [line.strip() for line in text.splitlines() if "orders" in line and "/orders" not in line]
    assert left == ["policy: orders-read", "policy: orders-write"]


def test_login_overlay_writes_the_host_into_both_urls_of_the_login(tmp_path: Path) -> None:
    copy_of_base(tmp_path, {})
    overlay = tmp_path / "deploy" / "kubernetes" / "overlays" / "login" / "kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("=orders.example.com", "=shop.example.org"))

    text = one(kustomized(overlay.parent), "ConfigMap")["data"]["envoy.yaml"]

    assert 'callback: &callback "https://shop.example.org/oauth2/callback"' in text
    assert "logout_uri=https%%3A%%2F%%2Fshop.example.org%%2F" in text
    assert "orders.example.com" not in text


def test_component_adds_envoy_and_authz_to_a_deployment_with_labels_of_its_own(tmp_path: Path) -> None:
    """The kustomization is that of docs/kubernetes.md, unchanged."""
    rendered = kustomized(foreign(tmp_path, "kind: Kustomization"))

    validate(rendered, NEWEST)
    pod = pod_template(rendered)["spec"]
    assert set(containers(pod)) == {"migrate", "web", "envoy", "authz"}
    assert one(rendered, "PodMonitor")["spec"]["selector"]["matchLabels"] == {"app": "web", "tier": "front"}
    policy = one(rendered, "NetworkPolicy")
    assert policy["metadata"]["name"] == "legacy-ingress"
    assert policy["spec"]["podSelector"]["matchLabels"] == {"app": "web", "tier": "front"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["envoy-secrets"]["projected"]["sources"][0]["secret"]["name"] == "legacy-tls"
    assert 'name: &name "legacy"' in one(rendered, "ConfigMap")["data"]["envoy.yaml"]


def test_documented_check_runs_before_authz_as_authz_does(tmp_path: Path) -> None:
    rendered = kustomized(checked_overlay(tmp_path))

    validate(rendered, OLDEST)
    pod = pod_template(rendered)["spec"]
    check, authz = pod["initContainers"]
    assert (check["name"], authz["name"]) == ("authz-check", "authz")
    assert "restartPolicy" not in check
    assert check["args"][0] == "check"
    assert {mount["name"] for mount in check["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}
    assert list(not_restricted(pod)) == []


def test_pod_monitor_is_removed_by_the_documented_patch(tmp_path: Path) -> None:
    rendered = kustomized(foreign(tmp_path, "kind: Kustomization", "$patch: delete"))

    assert "PodMonitor" not in {each["kind"] for each in rendered}
    assert "Service" in {each["kind"] for each in rendered}


def test_two_deployments_in_one_kustomization_are_refused(tmp_path: Path) -> None:
    """Which of them would be protected?"""
    folder = foreign(tmp_path, "kind: Kustomization")
    other = FOREIGN.replace("legacy", "other")
    (folder / "deployment.yaml").write_text(f"{FOREIGN}---\n{other}")

    with pytest.raises(AssertionError, match="multiple matches"):
        kustomized(folder)


def test_every_line_with_a_name_of_the_readers_own_is_marked() -> None:
    unmarked = [
        f"{file.name}: {line}"
        for file in _FOLDER.rglob("*.yaml")
        if file.name != "envoy.yaml"
        for line in file.read_text(encoding="utf-8").splitlines()
        if "example.com" in line and "CHANGE" not in line and not line.startswith("#")
    ]

    assert unmarked == []
