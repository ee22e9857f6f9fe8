"""Every YAML example in the documents is valid when the sidecar's own code reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from authz.core.configuration import Configuration, compile_configuration
from authz.core.policy_lookup import PolicyLookup
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.settings import read_settings
from tests.docs.markdown import DOCUMENTS, Block, blocks

_EXAMPLES = [block for document in DOCUMENTS for block in blocks(document, "yaml")]
_ISSUERS = {"issuers": {"idp": {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": ["orders"]}}}
"""For examples that contain only policies."""

_OURS = frozenset({"issuers", "policies", "forward", "revocations_file"})

_READ_BY_OTHERS = frozenset(
    {"apiVersion", "clusters", "dependencies", "envoy-jwt-authz", "groups", "match", "patches", "tier"}
)
"""Fields of examples without issuers, policies and routes: Kubernetes resources and kustomizations, Envoy clusters,
Prometheus rules, charts and their values."""


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda block: block.place)
def test_example_is_read_without_an_error(example: Block) -> None:
    data = yaml.safe_load(example.text)
    configuration = _configuration(example, data)

    policies = PolicyLookup(configuration.references, parse_inline_policy)

    named = [extensions["policy"] for extensions in _values(data, "context_extensions")]
    assert all(policies.find(text) for text in named)
    assert named or data.keys() & {"node", "issuers", "policies", *_READ_BY_OTHERS}


def _configuration(example: Block, data: dict[str, Any]) -> Configuration:
    authz = data.get("node", {}).get("metadata", {}).get("authz", data)
    if "node" in data and "issuers" in authz:
        settings = read_settings(example.text, example.place, need_endpoints="static_resources" in data)
        assert settings.warnings == ()
        return settings.configuration
    shown = {name: value for name, value in authz.items() if name in _OURS}
    return compile_configuration(_ISSUERS | shown)


def _values(data: object, name: str) -> Iterator[Any]:
    """Every value of a field, however deep."""
    items = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else []
    if isinstance(data, dict) and name in data:
        yield data[name]
    for item in items:
        yield from _values(item, name)
