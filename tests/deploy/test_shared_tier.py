"""deploy/shared-tier/client.yaml: accepted by Envoy and lint, and fitting to the tier that the chart renders."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.cli.main import main as authz
from authz.envoy import document
from authz.tools.processes.machine import envoy_command
from tests.deploy.helm import CHART, templated
from tests.deploy.manifests import NEWEST, ROOT, Manifest, one, validate
from tests.docs.markdown import blocks

_FILE = ROOT / "deploy" / "shared-tier" / "client.yaml"


@pytest.fixture(scope="module")
def client() -> Any:
    return document.read(_FILE.read_text(encoding="utf-8"), "client.yaml").data


@pytest.fixture(scope="module")
def cluster(client: Any) -> Any:
    return next(each for each in client["static_resources"]["clusters"] if each["name"] == "authz")


@pytest.fixture
def tier(tmp_path: Path) -> list[Manifest]:
    """The chart with the values of docs/shared-tier.md."""
    (recipe,) = blocks(ROOT / "docs" / "shared-tier.md", "yaml")
    (tmp_path / "tier.yaml").write_text(recipe.text)
    return templated(CHART, "--values", str(tmp_path / "tier.yaml"))


def test_envoy_and_lint_accept_the_client(tmp_path: Path) -> None:
    for name in ("server-certificate.yaml", "client-certificate.yaml", "tier-authority.yaml"):
        (tmp_path / name).touch()
    file = tmp_path / "envoy.yaml"
    file.write_text(_FILE.read_text(encoding="utf-8").replace("/etc/envoy/secrets", str(tmp_path)))

    command = [envoy_command(), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert authz(["lint", str(file)]) == 0


def test_documented_tier_is_valid(tier: list[Manifest]) -> None:
    validate(tier, NEWEST)


def test_client_asks_the_services_of_the_chart_at_their_port(cluster: Any, tier: list[Manifest]) -> None:
    services = {
        f"{each['metadata']['name']}.shared.svc.cluster.local": each["spec"]["ports"][0]["port"]
        for each in tier
        if each["kind"] == "Service"
    }
    asked = [
        endpoint["endpoint"]["address"]["socket_address"]
        for group in cluster["load_assignment"]["endpoints"]
        for endpoint in group["lb_endpoints"]
    ]

    assert [each["address"] for each in asked] == [
        "authz-zone-a.shared.svc.cluster.local",
        "authz.shared.svc.cluster.local",
    ]
    assert all(services[each["address"]] == each["port_value"] for each in asked)


def test_client_verifies_the_name_that_it_names_to_the_tier(cluster: Any) -> None:
    tls = cluster["transport_socket"]["typed_config"]
    names = tls["common_tls_context"]["combined_validation_context"]["default_validation_context"]

    assert names["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": tls["sni"]}}]


def test_routes_of_the_client_name_policies_of_the_documented_tier(client: Any, tier: list[Manifest]) -> None:
    config = yaml.safe_load(one(tier, "ConfigMap")["data"]["envoy.yaml"])
    known = {"deny", "public", "authenticated", *config["node"]["metadata"]["authz"]["policies"]}

    named = {value["policy"] for value in _values(client, "context_extensions")}

    assert named <= known
    assert "orders-read" in named


def _values(data: Any, name: str) -> list[Any]:
    if isinstance(data, list):
        return [found for item in data for found in _values(item, name)]
    if isinstance(data, dict):
        return [data[name]] if name in data else [found for item in data.values() for found in _values(item, name)]
    return []


def test_client_never_lets_a_request_in_without_an_answer(client: Any) -> None:
    manager = client["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    gate = next(each for each in manager["http_filters"] if each["name"] == "envoy.filters.http.ext_authz")

    assert gate["typed_config"]["failure_mode_allow"] is False
