"""An MCP client of the official SDK finds the provider through authz, registers, signs in and calls its tools."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authz.tools.demo.client import HttpClient
from tests.clients.mcp_service import McpService, running
from tests.clients.world import FIX, VENV, node


def _require_programs() -> None:
    if not (VENV / ".ready").exists():
        pytest.skip(f"{VENV.name} is not there: {FIX}")
    if not node():
        pytest.skip(f"no node, or not its packages: install Node.js 20 or newer and npm; {FIX}")


@pytest.fixture(scope="module")
def service() -> Iterator[McpService]:
    _require_programs()
    with running("{scopes: [orders/read], name: tools}") as started:
        yield started


def test_a_client_that_knows_only_the_url_reaches_the_tools(service: McpService) -> None:
    seen = service.call()

    assert seen["tools"]["whoami"] == "alice"
    assert "4242" in seen["tools"]["list_orders"]
    assert seen["scope"] == "orders/read"
    assert seen["asked"][:2] == ["POST /mcp 401", "GET /.well-known/oauth-protected-resource/mcp 200"]
    assert "POST /reg 201" in seen["asked"]
    assert seen["asked"][-1].startswith(("POST /mcp 20", "DELETE /mcp"))


def test_a_stranger_gets_the_challenge_that_starts_the_search(service: McpService) -> None:
    refused = HttpClient().ask("POST", service.url, {"content-type": "application/json"}, b"{}")

    assert refused.status == 401
    assert 'scope="orders/read"' in refused.challenge
    assert f'resource_metadata="{service.place.home}/.well-known/oauth-protected-resource/mcp"' in refused.challenge


def test_a_client_that_does_not_meet_the_policy_signs_in_and_is_refused() -> None:
    _require_programs()
    with running("{groups: [admins], name: tools}") as service:
        seen = service.call()

    assert set(seen["tools"]) == {"error"}
    assert "POST /token 200" in seen["asked"]
    assert seen["asked"][-1] == "POST /mcp 403"
