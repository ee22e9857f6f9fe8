"""Envoy configuration in a file, a ConfigMap or a dump, always with correct positions."""

from __future__ import annotations

import json
import textwrap
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.core.problems import ConfigurationError
from authz.tools.demo.requirements import shipped_envoy_yaml
from authz.tools.lint.examine import examine
from authz.tools.lint.input_forms import bootstraps
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import envoy_command, free_port
from tests.lint.cases import CLEAN, changed, codes, line_of, places

_FAILING = changed(("clear_route_cache: false", "clear_route_cache: true"))


def _config_map(text: str, header: str = "|") -> str:
    """A ConfigMap as `kubectl create configmap --dry-run=client -o yaml` writes it, with a Deployment beside it."""
    return (
        "apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: envoy }\n"
        f"data:\n  note.txt: hello\n  envoy.yaml: {header}\n{textwrap.indent(text, '    ')}"
    )


def test_the_shipped_file_is_clean() -> None:
    assert codes(shipped_envoy_yaml()) == []


def test_json_is_read_as_yaml_is() -> None:
    text = json.dumps(yaml.safe_load(_FAILING), indent=1)

    assert codes(text) == ["AUTHZ502"]
    assert places(text)[0].startswith(f"{line_of(text, 'clear_route_cache')}:")


def test_a_config_map_is_looked_into_and_places_are_those_of_the_outer_file() -> None:
    text = _config_map(_FAILING)

    (finding,) = examine(text, "f")

    line = text.splitlines()[finding.location.line - 1]
    assert (finding.rule.code, line[finding.location.column - 1 :]) == ("AUTHZ502", "true")


def test_a_config_map_in_a_list_and_with_an_indentation_indicator_is_looked_into() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"envoy.yaml": _FAILING}}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [item]}, default_style="|")

    (finding,) = examine(text, "f")

    line = text.splitlines()[finding.location.line - 1]
    assert line[finding.location.column - 1 :] == "true"


def test_a_configuration_in_quotes_is_placed_at_its_beginning() -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"envoy.yaml": _FAILING}}, indent=1)

    (finding,) = examine(text, "f")

    assert (finding.location.line, finding.location.column) == (line_of(text, '"envoy.yaml"'), 17)


def test_a_suppression_inside_a_config_map_counts() -> None:
    why = "clear_route_cache: true  # authz-lint: allow AUTHZ502 because there is one route only"

    assert codes(_config_map(changed(("clear_route_cache: false", why)))) == []


def test_broken_yaml_inside_a_config_map_is_placed_in_the_outer_file() -> None:
    text = _config_map("node: {\n  a: [\n")

    with pytest.raises(ConfigurationError) as refused:
        bootstraps(text, "f")

    assert str(refused.value).startswith("f:12:")


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: ConfigMap\ndata: { a.txt: x, b.yaml: 'c: 1' }\n",
        "apiVersion: v1\nkind: Secret\n",
        "groups: []\n",
        "[1, 2]\n",
        "hello\n",
        "configs: []\n",
        "configs: [{ '@type': type.googleapis.com/envoy.admin.v3.SecretsConfigDump }]\n",
    ],
)
def test_a_file_without_envoy_configuration_says_what_to_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no Envoy configuration is in this file"):
        bootstraps(text, "f")


@pytest.mark.parametrize(
    "text",
    [
        "node: 5\n",
        "static_resources: { listeners: [5, { filter_chains: x }], clusters: { a: 1 } }\n",
        "node: {}\nstatic_resources: { listeners: [{ filter_chains: [{ filters: [{ typed_config: 7 }] }] }] }\n",
        CLEAN.replace("virtual_hosts:", "virtual_hosts: 5 #"),
    ],
)
def test_values_of_the_wrong_kind_are_findings_and_never_a_crash(text: str) -> None:
    with_findings = codes(text) if "virtual_hosts: 5" not in text else ["AUTHZ101"]

    assert "AUTHZ101" in with_findings


def test_a_dump_with_values_of_the_wrong_kind_is_no_crash() -> None:
    text = "configs: [5, { '@type': a.ListenersConfigDump, static_listeners: [{ listener: { a: 1 } }] }]"

    assert set(codes(text)) == {"AUTHZ103", "AUTHZ901"}


def test_an_unknown_type_is_a_note() -> None:
    text = changed(("extensions.filters.http.router.v3.Router", "extensions.filters.http.later.v9.Router"))

    assert codes(text) == ["AUTHZ103"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The dump of a real Envoy that runs a file with three problems and discovers its route table."""
    directory: Path = tmp_path_factory.mktemp("envoy")
    admin, port = free_port(), free_port()
    text = changed(
        (
            "static_resources:",
            (
                f"admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}\n"
                "static_resources:"
            ),
        ),
        ("address: 0.0.0.0, port_value: 8080", f"address: 127.0.0.1, port_value: {port}"),
        ("failure_mode_allow: false", "failure_mode_allow: true"),
        ("max_retries: 256", "max_retries: 3"),
        ("normalize_path: true", "normalize_path: false"),
    )
    data = yaml.safe_load(text)
    manager = data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    table = manager.pop("route_config")
    table["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    (directory / "rds.yaml").write_text(json.dumps({"resources": [table]}), encoding="utf-8")
    source = {"resource_api_version": "V3", "path_config_source": {"path": f"{directory}/rds.yaml"}}
    manager["rds"] = {"route_config_name": "ingress", "config_source": source}
    (directory / "envoy.yaml").write_text(json.dumps(data), encoding="utf-8")
    command = [envoy_command(), "-c", f"{directory}/envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]
    with Children(directory) as children:
        envoy = children.start("envoy", [*command, "--log-level", "error"], child_environment())
        children.wait_until_ready(envoy, f"http://127.0.0.1:{admin}/ready")
        connection = HTTPConnection("127.0.0.1", admin, timeout=5)
        connection.request("GET", "/config_dump")
        said = connection.getresponse().read().decode()
        connection.close()
    return said


def test_the_dump_of_a_running_envoy_is_examined_with_the_routes_that_it_was_sent(dump: str) -> None:
    found = {finding.rule.code: finding.location for finding in examine(dump, "f")}

    lines = dump.splitlines()
    assert "[redacted]" in lines[found["AUTHZ901"].line - 1]
    assert "failure_mode_allow" in lines[found["AUTHZ501"].line - 1]
    assert "max_retries" in "".join(lines[found["AUTHZ805"].line - 1 :][:5])
    assert set(found) == {"AUTHZ501", "AUTHZ601", "AUTHZ805", "AUTHZ901"}


def test_fields_in_a_dump_are_all_known(dump: str) -> None:
    assert "AUTHZ103" not in {finding.rule.code for finding in examine(dump, "f")}


def test_a_file_with_trust_only_is_for_those_whose_envoy_is_configured_elsewhere() -> None:
    data: Any = yaml.safe_load(CLEAN)

    assert codes(yaml.safe_dump({"node": data["node"]})) == []
