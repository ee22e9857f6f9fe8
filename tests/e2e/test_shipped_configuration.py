"""deploy/envoy.yaml: Envoy accepts it, and every line that a deployment must change says so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from authz.tools.demo.requirements import shipped_envoy_yaml
from authz.tools.init import pages
from authz.tools.processes.machine import envoy_command

_OURS = ("order", "AbCdEfGhI", "5onexampleclientid", "staff")
"""The placeholders for the reader's own names in the shipped file."""


def test_envoy_accepts_the_shipped_file(tmp_path: Path) -> None:
    """Envoy insists that the secret files exist, even while it only validates: empty ones will do for that."""
    for name in re.findall(r"/etc/envoy/secrets/(\S+)", shipped_envoy_yaml()):
        (tmp_path / name).touch()
    config = tmp_path / "envoy.yaml"
    pages.write(tmp_path)
    config.write_text(pages.local(shipped_envoy_yaml(), tmp_path).replace("/etc/envoy/secrets", str(tmp_path)))

    result = subprocess.run(
        [envoy_command(), "--mode", "validate", "-c", config], check=False, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr


def test_every_line_with_a_name_of_the_readers_own_is_marked() -> None:
    unmarked = [
        line
        for line in shipped_envoy_yaml().splitlines()
        if any(name in line for name in _OURS) and "# CHANGE" not in line and not line.lstrip().startswith("#")
    ]

    assert unmarked == []


def test_every_api_path_is_one_that_the_login_lets_go_on() -> None:
    """A client without a token gets the 401 of authz there, and not a redirect to the login page."""
    config = yaml.safe_load(shipped_envoy_yaml())
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    login = manager["http_filters"][1]["typed_config"]["config"]
    routed = {
        route["match"].get("path_separated_prefix") for route in manager["route_config"]["virtual_hosts"][0]["routes"]
    }

    assert [each["name"] for each in login["allow_failed_matcher"]] == [":path"] * len(routed - {None})
    assert {each["string_match"]["prefix"] for each in login["allow_failed_matcher"]} == routed - {None}


def test_nothing_is_let_through_by_an_error_or_a_second_look() -> None:
    config = yaml.safe_load(shipped_envoy_yaml())
    chain = config["static_resources"]["listeners"][0]["filter_chains"][0]
    filters = chain["filters"][0]["typed_config"]["http_filters"]
    authorization = filters[-2]

    assert [item["name"].rpartition(".")[2] for item in filters] == ["header_mutation", "oauth2", "ext_authz", "router"]
    assert authorization["name"] == "envoy.filters.http.ext_authz"
    assert authorization["typed_config"]["failure_mode_allow"] is False
    assert authorization["typed_config"]["clear_route_cache"] is False


def test_every_filter_override_names_a_filter_that_is_there() -> None:
    """Envoy drops an override under a name that no filter has, silently."""
    config = yaml.safe_load(shipped_envoy_yaml())
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    names = {item["name"] for item in manager["http_filters"]}
    host = manager["route_config"]["virtual_hosts"][0]
    overrides = [
        host["typed_per_filter_config"],
        *(route.get("typed_per_filter_config", {}) for route in host["routes"]),
    ]

    assert {name for override in overrides for name in override} <= names
