"""An MCP client of the official SDK finds the provider through authz, registers, signs in and calls its tools."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.tools.demo.client import HttpClient
from tests.clients.mcp_service import McpService, running
from tests.clients.world import FIX, FOLDER, PROGRAM_SECONDS, VENV, node

SCENARIOS = (
    "server-initialize",
    "ping",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "tools-call-with-progress",
    "server-sse-multiple-streams",
)
"""The scenarios in which the way to the server matters: handshake, calls, event streams. The other scenarios test
features of a server or a client."""


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


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_of_the_conformance_suite_passes_through_envoy_and_authz(
    service: McpService, scenario: str, tmp_path: Path
) -> None:
    """The suite has no token of its own, so a second listener of Envoy adds one."""
    program = FOLDER / "node_modules" / ".bin" / "conformance"
    command = [str(program), "server", "--url", service.url_with_token, "--scenario", scenario]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS, cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_conformance_suite_fails_without_a_token(service: McpService, tmp_path: Path) -> None:
    program = FOLDER / "node_modules" / ".bin" / "conformance"
    command = [str(program), "server", "--url", service.url, "--scenario", "ping"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS, cwd=tmp_path)

    assert done.returncode != 0


def test_a_client_that_does_not_meet_the_policy_signs_in_and_is_refused() -> None:
    _require_programs()
    with running("{groups: [admins], name: tools}") as service:
        seen = service.call()

    assert set(seen["tools"]) == {"error"}
    assert "POST /token 200" in seen["asked"]
    assert seen["asked"][-1] == "POST /mcp 403"
