"""Issuers as operators write them, read with the problems that the reader reports."""

from __future__ import annotations

from typing import Any

from authz.core.issuers import Issuer
from authz.core.mapping_reader import MappingReader
from authz.core.problems import Problem
from authz.core.read_issuer import read_issuer
from tests.fakes.checks import CLIENT, PARTNER, POOL

POOL_FIELDS = {"profile": "cognito", "user_pool_id": POOL, "client_ids": [CLIENT]}
PARTNER_FIELDS = {"profile": "oidc", "issuer": PARTNER, "audiences": ["orders"]}

HTTP = "http is accepted for loopback hosts only: use https"
"""Why a URL with `http` cannot be fetched."""


def read(fields: Any) -> tuple[Issuer | None, list[Problem]]:
    found: list[Problem] = []
    return read_issuer(MappingReader(fields, (), found), "idp"), found


def good(fields: dict[str, Any]) -> Issuer:
    issuer, found = read(fields)
    assert found == []
    assert issuer is not None
    return issuer


def wrong(fields: Any) -> list[tuple[Any, str, str]]:
    return [(mistake.path, mistake.message, mistake.fix) for mistake in read(fields)[1]]
