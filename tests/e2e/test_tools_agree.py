"""`authz explain`, `authz test` and the running sidecar come to one answer: decision, reason and status."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from authz.cli.main import main
from authz.envoy.document import read
from authz.envoy.settings import Settings, read_settings
from authz.server import wire
from authz.terminal import patience
from authz.tools.demo.client import HttpClient
from authz.tools.demo.stack import Stack
from authz.tools.envoy_run.envoy_process import run_envoy
from authz.tools.envoy_run.http_request import HttpRequest, parse_request
from authz.tools.explain.explained_request import ExplainedRequest
from authz.tools.explain.explanation import explain
from tests.e2e.conftest import Tokens
from tests.e2e.handwritten import Handwritten

SHIPPED = [
    ("GET /orders", ""),
    ("GET /orders", "reading"),
    ("GET /orders/7?full=1", "granted"),
    ("GET /orders", "without_scope"),
    ("GET /orders", "identity"),
    ("GET /orders", "tampered"),
    ("GET /orders", "nonsense"),
    ("POST /orders", "reading"),
    ("POST /orders", "writing"),
    ("GET /admin", "writing"),
    ("GET /healthz", ""),
    ("GET /healthz", "tampered"),
    ("GET /", "without_scope"),
    ("GET /%2525", "writing"),
]
BY_HAND = [
    ("GET /orders", "granted"),
    ("GET /write", "writing"),
    ("GET /write", "reading"),
    ("GET /optional", ""),
    ("GET /optional", "tampered"),
    ("GET /identity", "identity"),
    ("GET /identity", "granted"),
    ("GET /recent", ""),
    ("GET /public", "nonsense"),
    ("GET /unknown", "writing"),
    ("GET /mistyped", "writing"),
    ("GET /misnamed", "writing"),
]

Outcome = tuple[str, int]
"""A reason, as far as the answer shows it, and a status."""


def _token(bearer: Tokens, name: str) -> str:
    return "a.b.c" if name == "nonsense" else str(getattr(bearer, name)) if name else ""


def _running(home: str, request: HttpRequest, token: str) -> Outcome:
    """The real thing: the demo's Envoy, its sidecar and its service."""
    answer = HttpClient().ask(request.method, f"{home}{request.path}", {"accept": "application/json", **_sent(token)})
    return ("" if answer.status == 200 else str(answer.json()["reason"])), answer.status


def _questions(settings: Settings, requests: list[tuple[HttpRequest, str]]) -> list[bytes]:
    """What Envoy's own routes ask about each request."""
    with run_envoy(read(settings.text, "envoy.yaml"), lambda _message: b"") as run:
        replies = [run.ask(replace(request, headers=_sent(token))) for request, token in requests]
    return [reply.question for reply in replies if reply.question is not None]


def _sent(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def _explained(settings: Settings, questions: list[bytes]) -> list[Outcome]:
    """What explain says, with keys that are fetched."""
    with ExplainedRequest(None, None, None, None, 0.0).rules(settings, patience) as held:
        explanations = [explain(held.rules, question, time.time()) for question in questions]
    return [("" if each.is_allowed else each.decision.reason.row.label, each.answer.status) for each in explanations]


def _suite(
    folder: Path, settings: Settings, jwks: bytes, requests: list[tuple[HttpRequest, str, str]], policies: list[str]
) -> Path:
    """The same requests with the same real tokens and the sidecar's reasons, as policy tests.

    A test of a wrong policy must expect its reason.
    """
    (folder / "envoy.yaml").write_text(settings.text, encoding="utf-8")
    (folder / "jwks.json").write_bytes(jwks)
    tests: list[dict[str, Any]] = []
    for (request, token, reason), policy in zip(requests, policies, strict=True):
        test = {"name": "a", "request": f"{request.method} http://{request.host}{request.path}", "policy": policy}
        tests.append(test | {"expect": {"reason": reason or "ok"}} | ({"token": {"text": token}} if token else {}))
    suite = {"envoy_config": "envoy.yaml", "jwks": {"cognito": "jwks.json"}, "tests": tests}
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump(suite), encoding="utf-8")
    return file


def _tested(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Outcome]:
    main(["test", "--output", "json", *arguments])
    tests = json.loads(capsys.readouterr().out)["tests"]
    return [("" if test["decision"] == "allow" else test["reason"], test["status"]) for test in tests]


@pytest.mark.parametrize("place", ["shipped", "by hand"])
def test_explain_test_and_the_running_sidecar_give_one_answer(
    place: str,
    stack: Stack,
    handwritten: Handwritten,
    bearer: Tokens,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = stack.place if place == "shipped" else handwritten.place
    settings = read_settings(here.configuration.read_text(encoding="utf-8"), "envoy.yaml", need_endpoints=False)
    jwks = HttpClient().ask("GET", f"{here.cognito}/{stack.pool.pool_id}/.well-known/jwks.json", {}).body
    requests = [
        (parse_request(text.replace(" ", f" http://127.0.0.1:{here.port}", 1)), _token(bearer, name))
        for text, name in (SHIPPED if place == "shipped" else BY_HAND)
    ]
    questions = _questions(settings, requests)
    policies = [wire.parse(question).policy for question in questions]
    running = [_running(here.home, *each) for each in requests]
    with_reasons = [(*request, reason) for request, (reason, _status) in zip(requests, running, strict=True)]
    file = str(_suite(tmp_path, settings, jwks, with_reasons, policies))

    assert _explained(settings, questions) == running
    assert _tested(capsys, file) == running
    assert _tested(capsys, "--envoy", file) == running
