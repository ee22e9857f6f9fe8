"""The recipes of docs/scale.md that start something: two workers behind one cluster, and a file without routes."""

from __future__ import annotations

import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.tools.demo.client import HttpClient
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.docs.markdown import ROOT, blocks
from tests.fakes.keys import jwk, jwks, rsa_key
from tests.fakes.waiting import until

_PAGE = ROOT / "docs" / "scale.md"
_SECONDS = 60.0


def _block(language: str, word: str) -> str:
    (found,) = (block.text for block in blocks(_PAGE, language) if word in block.text)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path for sockets, with keys: the pool of the example does not exist."""
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        (Path(name) / "jwks.json").write_bytes(jwks(jwk(rsa_key(), "k1")))
        yield Path(name)


def _with_keys(config: Any, folder: Path) -> Any:
    config["node"]["metadata"]["authz"]["issuers"]["cognito"]["jwks_file"] = f"{folder}/jwks.json"
    return config


@contextmanager
def _serving(folder: Path, arguments: list[str]) -> Iterator[Children]:
    (admin,) = free_ports(1)
    with Children(folder) as children:
        command = [sys.executable, "-m", "authz", *arguments, "--admin", f"{LOOPBACK}:{admin}"]
        sidecar = children.start("authz", command, child_environment(PYTHONPATH=str(ROOT)))
        children.wait_until_ready(sidecar, f"http://{LOOPBACK}:{admin}/readyz", _SECONDS)
        yield children


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_file_without_routes_is_served_by_the_command_of_the_page(folder: Path) -> None:
    config = _with_keys(yaml.safe_load(_block("yaml", "cluster: orders-api")), folder)
    (folder / "authz.yaml").write_text(yaml.safe_dump(config))
    program, *arguments = shlex.split(_block("sh", "authz serve"))
    local = [
        word.replace("/run/authz", str(folder)).replace("authz.yaml", f"{folder}/authz.yaml") for word in arguments
    ]

    with _serving(folder, local):
        assert program == "authz"
        assert _accepts(folder / "authz.sock")


def test_cluster_of_the_page_starts_two_workers_and_envoy_finds_both_healthy(folder: Path) -> None:
    """In the API-only configuration, in place of its own cluster."""
    text = (ROOT / "deploy" / "examples" / "cognito-api-only.yaml").read_text(encoding="utf-8")
    config = _with_keys(yaml.safe_load(text.replace("!ignore", "")), folder)
    shown = yaml.safe_load(_block("yaml", "clusters:").replace("/run/authz", str(folder)))["clusters"][0]
    cluster = next(each for each in config["static_resources"]["clusters"] if each["name"] == shown["name"])
    cluster["load_assignment"] = shown["load_assignment"]
    (folder / "envoy.yaml").write_text(yaml.safe_dump(config))

    with _serving(folder, ["serve", "--envoy-config", f"{folder}/envoy.yaml"]) as children:
        assert _accepts(folder / "a.sock")
        assert _accepts(folder / "b.sock")
        (port,) = free_ports(1)
        admin = {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}
        alone = {"node": config["node"], "admin": admin, "static_resources": {"clusters": [cluster]}}
        (folder / "alone.yaml").write_text(yaml.safe_dump(alone))
        line = [envoy_command(), "-c", f"{folder}/alone.yaml", "--log-level", "error", "--use-dynamic-base-id"]
        envoy = children.start("envoy", [*line, "--concurrency", "1"], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{port}/ready", _SECONDS)
        until(lambda: _healthy(port) == 2, _SECONDS)


def _healthy(port: int) -> int:
    answer = HttpClient().ask("GET", f"http://{LOOPBACK}:{port}/stats?filter=cluster.authz.membership_healthy")
    return int(answer.body.decode().rpartition(":")[2])
