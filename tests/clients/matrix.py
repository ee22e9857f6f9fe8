"""For each flow, its tokens, their claims and their access: the rows of the table in docs/tokens.md.

A test that gets a token from a real client asks the example routes with it and puts down what came. The rows that all
tests put down must be those of matrix.json, which the document shows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("matrix.json")

_TELLING = (
    *("token_use", "scope", "groups", "cognito:groups", "client_id", "aud"),
    *("repository_id", "project_id", "oidc.circleci.com/project-id"),
)
"""Claims on which decisions depend in these tests."""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One kind of token."""

    issuer: str
    flow: str
    client: str
    token: str
    """`access`, `id` or `refresh`, as the client calls it."""
    holds: str
    decisions: tuple[str, ...]
    """By example route: 200, or the status and the reason."""


def written(rows: set[Row], routes: Mapping[str, str]) -> str:
    """Routes and rows as the text of the file: a row a line, so that a change shows as one."""
    lines = ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in sorted(rows))
    return f'{{"routes": {json.dumps(routes)},\n"rows": [\n{lines}\n]}}\n'


def read() -> set[Row]:
    """The rows of the file."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))["rows"]
    return {Row(**row | {"decisions": tuple(row["decisions"])}) for row in rows}


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, not verified: the sidecar does that."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def holds(token: str, names: Mapping[str, str]) -> str:
    """The parts of a token that matter for decisions, in words. `names` replaces what is different in every run."""
    if token.count(".") != 2:
        return "not a JWT"
    header = claims_of(f".{token}")
    claims = claims_of(token)
    facts: dict[str, Any] = {"typ": header["typ"]} if header.get("typ", "JWT") != "JWT" else {}
    facts |= {name: claims[name] for name in _TELLING if name in claims}
    if "kubernetes.io" in claims:
        facts["kubernetes.io/namespace"] = claims["kubernetes.io"]["namespace"]
    if "identities" in claims:
        facts["identities"] = [one["providerName"] for one in claims["identities"]]
    text = ", ".join(f"{name} {_shown(value)}" for name, value in facts.items())
    for value, name in names.items():
        text = text.replace(value, name)
    return text


def _shown(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else f'"{value}"'
