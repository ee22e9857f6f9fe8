"""Every shell command of the pages about Kubernetes is run by a test, and every manifest and file on them is applied.

The table says by which test. A block that it does not list fails here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest

from tests.docs.markdown import ROOT, Block, blocks

_CLUSTER = "tests/cluster/test_recipes.py"
_PLANES = "tests/deploy/test_planes.py"
_TIER = "tests/faults/tier.py"

_PAGES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "docs/kubernetes.md": {
        "overlays/api-only": (_CLUSTER, "test_recipe_for_api_clients"),
        "kind: Kustomization": (_CLUSTER, "test_recipe_for_a_deployment_that_you_have"),
        "$patch: delete": (_CLUSTER, "test_recipe_for_a_deployment_that_you_have"),
        "authz-check": (_CLUSTER, "test_recipe_of_a_check_before_the_start"),
        "make image": ("Makefile", "image"),
        "make cluster": ("Makefile", "cluster"),
    },
    "docs/envoy-gateway.md": {
        "helm upgrade": (_CLUSTER, "test_recipe_of_envoy_gateway"),
        "kind: SecurityPolicy": (_PLANES, "test_examples_of_the_page_are_parts_of_the_files"),
    },
    "docs/istio.md": {
        "helm upgrade": (_CLUSTER, "test_recipe_of_istio"),
        "applyTo: HTTP_ROUTE": (_PLANES, "test_examples_of_the_page_are_parts_of_the_files"),
    },
    "docs/shared-tier.md": {
        "tier:": (_CLUSTER, "test_recipe_of_the_shared_tier"),
        "helm install": (_CLUSTER, "test_recipe_of_the_shared_tier"),
        "# client-certificate.yaml": (_TIER, "_references"),
        "# tier-authority.yaml": (_TIER, "_references"),
        "make faults": ("Makefile", "faults"),
    },
    "docs/scale.md": {
        "customers:": ("tests/docs/test_examples.py", "test_example_is_read_without_an_error"),
        "clusters:": (
            "tests/docs/test_scale.py",
            "test_cluster_of_the_page_starts_two_workers_and_envoy_finds_both_healthy",
        ),
        "cluster: orders-api": (
            "tests/docs/test_scale.py",
            "test_file_without_routes_is_served_by_the_command_of_the_page",
        ),
        "authz serve": ("tests/docs/test_scale.py", "test_file_without_routes_is_served_by_the_command_of_the_page"),
    },
    "deploy/helm/envoy-jwt-authz/README.md": {
        "helm install": (_CLUSTER, "test_recipe_of_the_shared_tier"),
        "tier:\n  tls:": (_CLUSTER, "test_recipe_of_the_shared_tier"),
        "dependencies:": (_CLUSTER, "test_recipe_of_the_sidecar_in_a_chart_of_ones_own"),
        "sidecar:\n": (_CLUSTER, "test_recipe_of_the_sidecar_in_a_chart_of_ones_own"),
        "kind: Deployment": (_CLUSTER, "test_recipe_of_the_sidecar_in_a_chart_of_ones_own"),
        "sidecar.resources": (_CLUSTER, "test_recipe_of_the_sidecar_in_a_chart_of_ones_own"),
    },
}
"""By page: words that only one block has, and the test that runs this block."""

_BLOCKS = [(page, block) for page in _PAGES for block in blocks(ROOT / page)]


@pytest.mark.parametrize(("page", "block"), _BLOCKS, ids=lambda value: value.place if isinstance(value, Block) else "")
def test_block_is_run_by_a_test(page: str, block: Block) -> None:
    assert [words for words in _PAGES[page] if words in block.text] != []


@pytest.mark.parametrize("page", _PAGES)
def test_every_row_is_of_a_block_of_its_own(page: str) -> None:
    texts = [block.text for block in blocks(ROOT / page)]

    assert {words: sum(words in text for text in texts) for words in _PAGES[page]} == dict.fromkeys(_PAGES[page], 1)


def test_every_test_of_the_table_is_there() -> None:
    for file, name in {place for page in _PAGES.values() for place in page.values()}:
        text = (ROOT / file).read_text(encoding="utf-8")
        if file == "Makefile":
            assert f"\n{name}:" in text
        else:
            assert name in {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
