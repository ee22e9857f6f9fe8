"""deploy/helm/envoy-jwt-authz: both shapes rendered by helm, and wrong values refused with a sentence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.cli.main import main as authz
from authz.envoy import document
from authz.tools.init import pages
from authz.tools.processes.machine import envoy_command
from deploy import chart_values, generate
from tests.deploy import charts
from tests.deploy.helm import CHART, refusal, run, templated
from tests.deploy.manifests import (
    NEWEST,
    OLDEST,
    Manifest,
    containers,
    kustomized,
    not_restricted,
    one,
    pod_template,
    validate,
)


@pytest.fixture
def tier_values(tmp_path: Path) -> Path:
    """The values of the README."""
    file = tmp_path / "tier.yaml"
    file.write_text(charts.TIER)
    return file


@pytest.fixture
def tier(tier_values: Path) -> list[Manifest]:
    return templated(CHART, "--values", str(tier_values))


@pytest.fixture
def own_chart(tmp_path: Path) -> Path:
    return charts.write_own_chart(tmp_path)


def test_helm_lint_finds_nothing(tier_values: Path) -> None:
    done = run("lint", "--strict", str(CHART), "--values", str(tier_values))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_tier_is_valid_for_the_oldest_and_the_newest_kubernetes(tier: list[Manifest], version: str) -> None:
    validate(tier, version)

    assert {each["kind"] for each in tier} == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PodMonitor",
        "Service",
        "ServiceAccount",
    }


def test_tier_passes_the_restricted_profile_of_pod_security(tier: list[Manifest]) -> None:
    assert list(not_restricted(pod_template(tier)["spec"])) == []


def test_tier_needs_no_flag_for_a_dry_run(tier_values: Path) -> None:
    done = run("install", "authz", str(CHART), "--dry-run=client", "--values", str(tier_values))

    assert done.returncode == 0, done.stderr


def test_rollout_of_the_tier_keeps_every_pod_until_a_new_one_serves(tier: list[Manifest]) -> None:
    deployment = one(tier, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    found = containers(pod)
    sleep = found["envoy"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int({each["name"]: each["value"] for each in found["authz"]["env"]}["AUTHZ_DRAIN"].removesuffix("s"))

    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert deployment["minReadySeconds"] > 0
    assert pod["terminationGracePeriodSeconds"] > sleep + drain
    assert pod["affinity"]["podAntiAffinity"]
    assert one(tier, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_tier_is_scaled_on_cpu_and_on_checks_in_flight(tier: list[Manifest], tier_values: Path) -> None:
    metrics = one(tier, "HorizontalPodAutoscaler")["spec"]["metrics"]
    without = templated(CHART, "--values", str(tier_values), "--set", "tier.autoscaling.checksInFlight=0")

    assert [metric["type"] for metric in metrics] == ["Resource", "Pods"]
    assert metrics[1]["pods"]["metric"]["name"] == "authz_checks_in_flight"
    assert "replicas" not in one(tier, "Deployment")["spec"]
    assert len(one(without, "HorizontalPodAutoscaler")["spec"]["metrics"]) == 1


def test_service_of_the_tier_lists_pods_and_names_its_protocol(tier: list[Manifest]) -> None:
    service = one(tier, "Service")["spec"]

    assert service["clusterIP"] == "None"
    assert service["ports"][0]["appProtocol"] == "https"
    assert service["selector"].items() <= pod_template(tier)["metadata"]["labels"].items()


def test_each_zone_gets_a_service_of_the_pods_in_it(tier_values: Path) -> None:
    manifests = templated(CHART, "--values", str(tier_values), "--set", "tier.zones={a,b}")

    selectors = {each["metadata"]["name"]: each["spec"]["selector"] for each in manifests if each["kind"] == "Service"}
    assert {name: one.get("topology.kubernetes.io/zone") for name, one in selectors.items()} == {
        "authz": None,
        "authz-a": "a",
        "authz-b": "b",
    }


def test_envoy_and_authz_of_the_tier_agree_on_sockets_and_both_read_the_file(tier_values: Path, tmp_path: Path) -> None:
    manifests = templated(CHART, "--values", str(tier_values), "--set", "tier.workers=3")
    data = one(manifests, "ConfigMap")["data"]
    config = document.read(data["envoy.yaml"], "envoy.yaml").data
    found = containers(pod_template(manifests)["spec"])
    endpoints = config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]

    asked = [f"unix:{each['endpoint']['address']['pipe']['path']}" for each in endpoints]
    arguments = found["authz"]["args"]
    assert [arguments[index + 1] for index, word in enumerate(arguments) if word == "--listen"] == asked
    assert found["authz"]["resources"]["limits"]["memory"] == "256Mi"
    _accepted(data["envoy.yaml"], tmp_path)


def _accepted(text: str, folder: Path) -> None:
    """By Envoy and by lint."""
    for name in ("server-certificate.yaml", "client-authority.yaml"):
        (folder / name).touch()
    file = folder / "envoy.yaml"
    file.write_text(text.replace("/etc/envoy/secrets", str(folder)))
    command = [envoy_command(), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert authz(["lint", str(file)]) == 0


def test_changed_policies_start_no_pod_again_but_a_changed_listener_does(tier_values: Path) -> None:
    def checksum(*arguments: str) -> str:
        rendered = templated(CHART, "--values", str(tier_values), *arguments)
        return str(pod_template(rendered)["metadata"]["annotations"]["checksum/envoy"])

    assert checksum("--set", "tier.authz.policies.orders-read.max_age=5m") == checksum()
    assert checksum("--set", "tier.port=9444") != checksum()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("tier.replica=3", "'replica' not allowed"),
        ("tier.replicas=one", "got string, want integer"),
        ("tier.replicas=1", "minimum: got 1, want 2"),
        ("tier.replicas=40", "Raise the latter, or set tier.autoscaling.enabled to false."),
        ("tier.maxUnavailable=3", "lets a node drain evict all 3 pods. Set it below tier.replicas."),
        ("tier.port=80", "minimum: got 80"),
        ("tier.port=9902", "Choose another, such as 9443."),
        ("tier.tls.secret=", "tier.tls.secret is missing. Name a Secret with tls.crt, tls.key and ca.crt."),
        ("tier.tls.secret=a: b", "does not match pattern"),
        ("tier.tls.clients={*.shop}", "does not match pattern"),
        ("tier.authz=null", "got null, want object"),
        ("tier.authz.issuers.cognito.profil=x", "'profil' not allowed"),
        ("tier.authz.issuers.a b=x", "at '/tier/authz/issuers': additional properties 'a b' not allowed"),
        ("tier.authz.policies.orders-read.scope=x", "'scope' not allowed"),
        ("image.digest=sha256:abc", "does not match pattern"),
        ("image.tag=a\\,b", "does not match pattern"),
        ("monitoring.namespace=", "minLength"),
    ],
)
def test_wrong_value_is_refused_with_a_sentence_that_names_it(tier_values: Path, setting: str, sentence: str) -> None:
    said = refusal(CHART, "--values", str(tier_values), "--set", setting)

    assert sentence in said
    assert setting.partition("=")[0].split(".")[-1].removesuffix("s") in said


def test_chart_without_values_says_what_is_missing() -> None:
    assert "tier.authz is missing" in refusal(CHART)


def test_own_chart_gets_the_containers_of_the_kustomize_component(own_chart: Path) -> None:
    """The oracle: the same pod by another way."""
    helm = pod_template(templated(own_chart, name="orders"))["spec"]
    kustomize = pod_template(kustomized("deploy/kubernetes/base"))["spec"]

    assert containers(helm)["authz"] == containers(kustomize)["authz"]
    assert containers(helm)["envoy"] == containers(kustomize)["envoy"]
    assert helm["securityContext"] == kustomize["securityContext"]
    volumes = json.dumps(helm["volumes"]).replace("orders-api-envoy", "envoy-jwt-authz")
    assert json.loads(volumes) == kustomize["volumes"]


def test_own_chart_gets_policies_and_monitoring_and_no_tier(own_chart: Path) -> None:
    manifests = templated(own_chart, name="orders")

    validate(manifests, NEWEST)
    assert sorted(each["kind"] for each in manifests) == ["ConfigMap", "Deployment", "NetworkPolicy", "PodMonitor"]
    assert one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == {"app": "orders-api"}
    kustomize = kustomized("deploy/kubernetes/base")
    for field in ("ingress", "policyTypes"):
        assert (
            one(manifests, "NetworkPolicy")["spec"][field] == one(kustomize, "NetworkPolicy", "-ingress")["spec"][field]
        )
    assert one(manifests, "ConfigMap")["data"] == {
        name: text
        for name, text in one(kustomize, "ConfigMap")["data"].items()
        if name.endswith(".yaml") and name != "server-certificate.yaml"
    } | {"server-certificate.yaml": one(manifests, "ConfigMap")["data"]["server-certificate.yaml"]}


def test_own_chart_with_a_login_gets_the_pages_into_its_config_map(own_chart: Path) -> None:
    charts.add_login(own_chart)

    data = one(templated(own_chart, "--set", "envoy-jwt-authz.sidecar.loginSecret=login"), "ConfigMap")["data"]

    assert {name: text for name, text in data.items() if name.endswith(".html")} == pages.files()


def test_own_chart_with_a_login_and_a_page_that_is_missing_is_refused(own_chart: Path) -> None:
    charts.add_login(own_chart)
    (own_chart / "pages" / "sign-in.ja.html").unlink()

    said = refusal(own_chart, "--set", "envoy-jwt-authz.sidecar.loginSecret=login")

    assert "The file pages/sign-in.ja.html of your chart is missing. Copy the directory" in said


def test_own_charts_name_host_and_port_are_written_into_its_envoy_yaml(own_chart: Path) -> None:
    settings = ["name=shop", "host=shop.example.org", "port=3000", "loginSecret=shop-login"]
    flags = [word for setting in settings for word in ("--set", f"envoy-jwt-authz.sidecar.{setting}")]
    charts.add_login(own_chart)

    data = one(templated(own_chart, *flags, name="shop"), "ConfigMap")["data"]

    text = data["envoy.yaml"]
    config: Any = document.read(text, "envoy.yaml").data
    assert config["node"]["id"] == "shop"
    assert 'port: &port "3000"' in text
    assert 'callback: &callback "https://shop.example.org/oauth2/callback"' in text
    assert "logout_uri=https%%3A%%2F%%2Fshop.example.org%%2F" in text
    assert "orders.example.com" not in text


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("sidecar.host=", "envoy-jwt-authz.sidecar.host is missing. Write the host that clients call."),
        ("sidecar.tlsSecret=", "envoy-jwt-authz.sidecar.tlsSecret is missing."),
        ("sidecar.selector=null", "missing property 'selector'"),
        ("sidecar.configFile=none.yaml", "The file none.yaml of your chart is missing."),
        ("sidecar.configFile=other.yaml", "other.yaml has no line `name: &name"),
        ("sidecar.prot=3000", "'prot' not allowed"),
        ("sidecar.host=a b", "does not match pattern"),
        ("sidecar.port=9464", "Let the application listen on another, such as 8080."),
    ],
)
def test_own_chart_with_a_wrong_value_is_refused_with_a_sentence(own_chart: Path, setting: str, sentence: str) -> None:
    (own_chart / "other.yaml").write_text("node: {}\n")

    assert sentence in refusal(own_chart, "--set", f"envoy-jwt-authz.{setting}")


def test_own_chart_with_a_login_and_no_secret_for_it_is_refused(own_chart: Path) -> None:
    charts.add_login(own_chart)

    assert "envoy.yaml has a login. Set envoy-jwt-authz.sidecar.loginSecret" in refusal(own_chart)


def test_schema_of_the_values_holds_the_schema_of_the_configuration() -> None:
    text = (CHART / "values.schema.json").read_text(encoding="utf-8")

    assert generate.written()[generate.SCHEMA] == text


def test_every_value_has_a_default_or_is_required_and_a_meaning() -> None:
    rows = list(chart_values.rows())
    without_default = [name for name, default, _meaning in rows if not default]

    assert without_default == ["`tier.authz`"]
    assert all(meaning for _name, _default, meaning in rows)
    assert yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")).keys() == {
        name.strip("`").split(".")[0] for name, _default, _meaning in rows
    }
