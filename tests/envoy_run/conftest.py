"""One run of the shipped file for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.key_lookup import KeyLookup
from authz.envoy.document import YamlDocument, read
from authz.server import wire
from authz.server.served_rules import ServedRules
from authz.tools.envoy_run.envoy_process import EnvoyRun, run_envoy
from tests.fakes.checks import FixedKeys

SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"


@pytest.fixture(scope="session")
def shipped() -> YamlDocument:
    return read(SHIPPED.read_text(encoding="utf-8"), "envoy.yaml")


@pytest.fixture(scope="session")
def run(shipped: YamlDocument) -> Iterator[EnvoyRun]:
    """Decides as the sidecar would, without any key."""
    configuration = compile_configuration(shipped.data["node"]["metadata"]["authz"])
    rules = ServedRules.of(configuration, "orders-api", KeyLookup({"cognito": FixedKeys(None)}))

    def answer(message: bytes) -> bytes:
        return rules.renderer.render(decide(rules, message, 0.0, may_wait=False))

    with run_envoy(shipped, answer) as running:
        yield running


def policy_of(question: bytes | None) -> str:
    return wire.parse(question).policy if question is not None else "not asked"
