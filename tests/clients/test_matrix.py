"""The table of docs/tokens.md is what the tests of this folder saw."""

from __future__ import annotations

import pytest

from tests.clients import matrix
from tests.clients.envoy import ROUTES
from tests.clients.world import World, node


def test_document_shows_what_was_seen(world: World, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("write_matrix"):
        matrix.FILE.write_text(matrix.written(world.rows, ROUTES), encoding="utf-8")

    said = matrix.read()

    assert world.rows - said == set(), "not in the document; ARGS=--write-matrix writes it"
    if node() and not pytestconfig.getoption("keyword"):
        assert said - world.rows == set(), "in the document, and seen by no test"
