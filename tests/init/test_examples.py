"""What `authz init` writes: clean for lint, accepted by Envoy, closed to strangers through the real Envoy."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from authz.envoy.document import read
from authz.envoy.settings import read_settings
from authz.tools.envoy_run.envoy_process import run_envoy
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.init import pages
from authz.tools.init.answers import Answers, Endpoints
from authz.tools.init.render import render
from authz.tools.lint.examine import examine
from authz.tools.policy_tests.checks import Checks
from authz.tools.policy_tests.mint import Token
from authz.tools.processes.machine import envoy_command
from deploy.generate import DEPLOY, FILES


@pytest.fixture(params=list(FILES))
def text(request: pytest.FixtureRequest) -> str:
    file: Path = DEPLOY / request.param
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(FILES))
def test_each_shipped_file_is_what_init_writes(name: str) -> None:
    assert (DEPLOY / name).read_text(encoding="utf-8") == render(FILES[name])


def test_lint_finds_nothing_in_a_written_file(text: str) -> None:
    assert examine(text, "envoy.yaml") == ()


def test_envoy_accepts_a_written_file(text: str, tmp_path: Path) -> None:
    for name in re.findall(r"/etc/envoy/secrets/([a-z-]+\.yaml)", text):
        (tmp_path / name).write_text("", encoding="utf-8")
    file = tmp_path / "envoy.yaml"
    local = text.replace("/etc/envoy/secrets", str(tmp_path))
    file.write_text(pages.local(local, DEPLOY / "pages"), encoding="utf-8")

    ended = subprocess.run(
        [envoy_command(), "--mode", "validate", "-c", str(file), "--log-level", "error"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr


def test_a_written_file_asks_for_a_token_and_takes_a_good_one(text: str) -> None:
    checks = Checks(read_settings(text, "envoy.yaml", need_endpoints=False))
    token = checks.mint(None, Token({"scope": "orders/read"}), 1_700_000_000.0)

    with run_envoy(read(text, "envoy.yaml"), lambda message: checks.answer(message, 1_700_000_000.0)[1]) as run:
        without = run.ask(HttpRequest("GET", "orders.example.com", "/orders"))
        reading = run.ask(_with(token, "GET", "/orders/1"))
        writing = run.ask(_with(token, "POST", "/orders"))
        elsewhere = run.ask(_with(token, "GET", "/admin"))
        disguised = run.ask(_with(token, "GET", "/orders/..;/admin"))
        health = run.ask(HttpRequest("GET", "orders.example.com", "/healthz"))

    assert (without.status, reading.status, writing.status) == (401, 200, 403)
    assert (elsewhere.status, disguised.status, health.status) == (403, 403, 200)


def test_a_request_with_as_many_header_fields_as_a_browser_has_cookies_is_checked(text: str) -> None:
    """Over HTTP/2 each cookie is a field of its own (RFC 9113 section 8.2.3). Envoy's default limit is 100 fields."""
    checks = Checks(read_settings(text, "envoy.yaml", need_endpoints=False))
    fields = {f"x-field-{number}": "x" for number in range(200)}

    with run_envoy(read(text, "envoy.yaml"), lambda message: checks.answer(message, 1.0)[1]) as run:
        answered = run.ask(HttpRequest("GET", "orders.example.com", "/orders", None, fields))
        refused = run.ask(
            HttpRequest("GET", "orders.example.com", "/orders", None, fields | dict.fromkeys(map(str, range(100)), "x"))
        )

    assert (answered.status, refused.status) == (401, 431)


def _with(token: str, method: str, path: str) -> HttpRequest:
    return HttpRequest(method, "orders.example.com", path, None, {"authorization": f"Bearer {token}"})


def test_a_page_of_an_allowed_origin_can_read_a_refusal_and_gets_its_preflight_answered() -> None:
    text = (DEPLOY / "examples" / "cors.yaml").read_text(encoding="utf-8")
    checks = Checks(read_settings(text, "envoy.yaml", need_endpoints=False))
    preflight = {"origin": "https://app.example.com", "access-control-request-method": "PUT"}

    with run_envoy(read(text, "envoy.yaml"), lambda message: checks.answer(message, 1.0)[1]) as run:
        answered = run.ask(HttpRequest("OPTIONS", "orders.example.com", "/orders", None, preflight))
        refused = run.ask(
            HttpRequest("GET", "orders.example.com", "/orders", None, {"origin": "https://app.example.com"})
        )
        foreign = run.ask(HttpRequest("GET", "orders.example.com", "/orders", None, {"origin": "https://evil.example"}))

    assert answered.status == 200
    assert answered.headers["access-control-allow-origin"] == "https://app.example.com"
    assert refused.status == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "orders.example.com:8443"}, "--host: 'orders.example.com:8443' is not a host name alone"),
        ({"host": "https://orders.example.com"}, "is not a host name alone"),
        ({"host": ""}, "--host is missing"),
        ({"host": "a\nb.example.com"}, "is not a host name"),
        ({"user_pool_id": "eu-1"}, "--user-pool-id: 'eu-1' is not a user pool id"),
        ({"client_ids": ()}, "--client-id is missing"),
        ({"upstreams": ()}, "--upstream is missing"),
        ({"upstreams": ("/orders=127.0.0.1:99999",)}, "is not [/PREFIX=]HOST:PORT"),
        ({"upstreams": ("/a/orders=127.0.0.1:1", "/b/orders=127.0.0.1:2")}, "two prefixes end in 'orders'"),
        ({"upstreams": ("/=127.0.0.1:1",)}, "no policy can be named after '/'"),
        ({"login": True, "login_domain": ""}, "--login-domain is missing"),
        ({"profile": "github-actions", "login": True, "audiences": ("a",)}, "nobody signs in to github-actions"),
        ({"profile": "oidc", "audiences": ("a",)}, "--issuer is missing"),
        ({"cors": ("https://app.example.com/path",)}, "is not an origin"),
        ({"workers": 0}, "--workers: 0 is not from 1 to 64"),
    ],
)
def test_a_wrong_answer_is_named_with_its_option(change: dict[str, object], said: str) -> None:
    good: Answers = FILES["examples/cognito-api-only.yaml"]

    problems = [str(problem) for problem in replace(good, **change).problems]  # type: ignore[arg-type]

    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    "text", ["x\n  evil: true", "a: b", "a #b", "null", "1e3", "0x10", "- a", '"', "'", "{}", "*a", "", "x:"]
)
def test_no_answer_can_become_another_part_of_the_file(text: str) -> None:
    url = f"https://idp.example.com/{text}"
    answers = replace(
        FILES["examples/oidc-login.yaml"],
        name=text,
        issuer=url,
        client_ids=(text,),
        audiences=(text,),
        endpoints=Endpoints(url, url, url),
    )

    written = read(render(answers), "envoy.yaml").data

    usual = read(render(FILES["examples/oidc-login.yaml"]), "envoy.yaml").data
    assert _shape(written) == _shape(usual)
    assert written["node"]["id"] == (text or "orders")


def _shape(value: object) -> object:
    """The mappings and lists of a document, without its texts."""
    if isinstance(value, dict):
        return {name: _shape(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_shape(child) for child in value]
    return type(value)
