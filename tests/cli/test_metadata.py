"""`authz metadata`: the route is accepted by Envoy and serves the document to any client, without login or token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.cli.main import main
from authz.envoy.document import read
from authz.envoy.settings import read_settings
from authz.tools.envoy_run.envoy_process import run_envoy
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.policy_tests.checks import Checks

EXAMPLES = Path(__file__).parents[2] / "deploy"
RESOURCE = {"id": "https://orders.example.com/mcp", "scopes": ["orders/read"]}


def _with_resource(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    config["node"]["metadata"]["authz"]["resource"] = RESOURCE
    return config


@pytest.mark.parametrize("name", ["envoy.yaml", "examples/cors.yaml"])
def test_the_printed_route_serves_the_document_through_envoy(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _with_resource(name)
    file = tmp_path / "envoy.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert main(["metadata", str(file)]) == 0
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    routes[:0] = yaml.safe_load(capsys.readouterr().out)
    text = yaml.safe_dump(config)
    checks = Checks(read_settings(text, "envoy.yaml", need_endpoints=False))

    with run_envoy(read(text, "envoy.yaml"), lambda message: checks.answer(message, 1.0)[1]) as run:
        served = run.ask(
            HttpRequest(
                "GET",
                "orders.example.com",
                "/.well-known/oauth-protected-resource/mcp",
                None,
                {"origin": "https://x.example"},
            )
        )
        refused = run.ask(HttpRequest("GET", "orders.example.com", "/orders"))

    document = json.loads(served.body)
    assert served.status == 200
    assert served.headers["content-type"] == "application/json"
    assert document["resource"] == RESOURCE["id"]
    assert document["authorization_servers"][0].startswith("https://")
    url = "https://orders.example.com/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{url}"' in refused.headers["www-authenticate"]
    assert 'scope="orders/admin orders/read"' in refused.headers["www-authenticate"]


def test_the_document_alone_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text(yaml.safe_dump(_with_resource("envoy.yaml")), encoding="utf-8")

    assert main(["metadata", "--output", "json", str(file)]) == 0

    assert json.loads(capsys.readouterr().out)["scopes_supported"] == ["orders/read"]


def test_a_file_without_a_resource_is_an_error_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metadata", str(EXAMPLES / "envoy.yaml")]) == 2

    assert "has no node.metadata.authz.resource" in capsys.readouterr().err
