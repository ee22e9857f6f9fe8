"""docs/configuration.md describes every existing field and option, and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.policy import BUILT_IN
from authz.core.problems import ConfigurationError
from authz.core.signature_algorithms import ALGORITHMS
from tests.docs.markdown import ROOT, prose, rows

_DOCUMENT = ROOT / "docs" / "configuration.md"
_NOT_A_FIELD = "!"
"""Resembles no field, so that the error lists all known fields."""

_ISSUER = {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": ["orders"]}
_COGNITO = {"profile": "cognito", "user_pool_id": "ap-northeast-1_AbCdEfGhI", "client_ids": ["c"]}


def _known(authz: dict[str, Any]) -> set[str]:
    """Return the known fields, which the error about an unknown field lists."""
    with pytest.raises(ConfigurationError) as raised:
        compile_configuration(authz)
    (problem,) = raised.value.problems
    return set(re.findall(r"[a-z_]+", problem.fix.removeprefix("Known: ")))


def _documented(heading: str) -> list[str]:
    return [cells[0].strip("`").split()[0].strip("`") for cells in rows(_DOCUMENT, heading)]


def test_every_issuer_field_is_described() -> None:
    known = _known({"issuers": {"a": _ISSUER | {_NOT_A_FIELD: 1}}})
    known |= _known({"issuers": {"a": _COGNITO | {_NOT_A_FIELD: 1}}})

    assert set(_documented("Issuers")) == known


def test_every_policy_field_is_described() -> None:
    known = _known({"issuers": {"a": _ISSUER}, "policies": {"p": {_NOT_A_FIELD: 1}}})

    assert set(_documented("Policies")) == known


def test_every_field_of_authz_is_described() -> None:
    known = _known({"issuers": {"a": _ISSUER}, _NOT_A_FIELD: 1})

    assert set(_documented("Fields of `node.metadata.authz`")) == known


def test_every_algorithm_is_named() -> None:
    (row,) = [cells for cells in rows(_DOCUMENT, "Issuers") if cells[0] == "`algorithms`"]

    assert row[2].partition(": ")[2].partition(". ")[0].split(", ") == list(ALGORITHMS)


def test_every_built_in_policy_is_explained() -> None:
    assert all(f"`{name}` " in prose(_DOCUMENT) for name in BUILT_IN)


def test_every_option_of_serve_is_described() -> None:
    help_text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    serve = help_text.partition("$ authz serve --help")[2].partition("```")[0]
    options = re.findall(r"^  (--[a-z-]+)", serve, re.MULTILINE)

    assert [name.split()[0] for name in _documented("The process")] == options
