"""No client header reaches an application under the name of an identity or override header, however it is spelt.

CGI, WSGI, PHP and Rack fold several header names into one variable. Each spelling goes through the shipped Envoy file
to a real PHP and a real WSGI server, which return the headers they received.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from authz.tools.demo.proxy import start_envoy
from authz.tools.demo.stack import Stack
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.e2e.conftest import Tokens
from tests.e2e.raw import RawAnswer, send

IDENTITY = ("x-auth-subject", "x-auth-username", "x-auth-issuer", "x-auth-scopes", "x-auth-client", "x-auth-role")
OVERRIDES = (
    "x-envoy-auth-failure-mode-allowed",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-forwarded-uri",
    "x-forwarded-prefix",
    "x-remote-user",
    "x-remote-groups",
    "remote-user",
    "x-authenticated-user",
    "x-webauth-user",
)
SIGNS = "-._!#$%&'*+^`|~"
"""Every sign that a header name may contain (RFC 9110 section 5.6.2)."""

FORGED = "forged-by-the-client"

_PHP = """<?php header('content-type: application/json'); echo json_encode($_SERVER);"""
_WSGI = """
import json, sys
from wsgiref.simple_server import make_server

def application(environ, start_response):
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()]

make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""


def _php(folder: Path, port: int) -> list[str]:
    if shutil.which("php") is None:
        pytest.skip("no php on PATH (Debian: apt-get install php-cli)")
    (folder / "index.php").write_text(_PHP, encoding="utf-8")
    return ["php", "-S", f"{LOOPBACK}:{port}", "-t", str(folder), str(folder / "index.php")]


def _wsgi(folder: Path, port: int) -> list[str]:
    (folder / "application.py").write_text(_WSGI, encoding="utf-8")
    return [sys.executable, str(folder / "application.py"), str(port)]


@contextmanager
def _behind_envoy(stack: Stack, application: str) -> Iterator[str]:
    """The shipped file with this application as the upstream. Yields the address of Envoy."""
    folder = stack.place.directory / application
    folder.mkdir()
    place = replace(stack.place, directory=folder, port=free_port(), admin_port=free_port(), upstream_port=free_port())
    config = yaml.safe_load(stack.place.configuration.read_text(encoding="utf-8"))
    config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = place.port
    config["admin"]["address"]["socket_address"]["port_value"] = place.admin_port
    (app,) = (cluster for cluster in config["static_resources"]["clusters"] if cluster["name"] == "app")
    endpoint = app["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"]["port_value"] = place.upstream_port
    place.configuration.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = {"php": _php, "wsgi": _wsgi}[application](folder, place.upstream_port)
    with Children(folder) as children:
        served = children.start(application, command, child_environment())
        children.wait_until_ready(served, f"http://{LOOPBACK}:{place.upstream_port}/")
        start_envoy(children, place)
        yield place.home


@pytest.fixture(scope="module", params=["php", "wsgi"])
def application(request: pytest.FixtureRequest, stack: Stack) -> Iterator[str]:
    with _behind_envoy(stack, request.param) as home:
        yield home


def _ask(home: str, bearer: Tokens, *headers: bytes) -> RawAnswer:
    return send(home, "/orders", b"authorization: Bearer " + bearer.granted.encode(), *headers)


@pytest.mark.parametrize("name", [*IDENTITY, *OVERRIDES])
def test_no_spelling_of_a_trusted_header_reaches_the_application(application: str, bearer: Tokens, name: str) -> None:
    for sign in SIGNS:
        answer = _ask(application, bearer, name.replace("-", sign).encode() + b": " + FORGED.encode())

        assert answer.status in {200, 400}, f"{sign}: {answer.status}"
        assert FORGED.encode() not in answer.body, f"{name} with {sign} reached the application"


@pytest.mark.parametrize("signs", [("-", "."), (".", "-"), ("!", "-"), ("-", "~")])
def test_a_name_of_mixed_signs_does_not_reach_the_application(
    application: str, bearer: Tokens, signs: tuple[str, str]
) -> None:
    first, second = signs
    answer = _ask(application, bearer, f"X{first}Auth{second}Subject: {FORGED}".encode())

    assert FORGED.encode() not in answer.body


def test_the_application_reads_the_verified_identity(application: str, bearer: Tokens) -> None:
    answer = _ask(application, bearer, b"x-auth-issuer: " + FORGED.encode(), b"x-custom: kept")

    received = json.loads(answer.body)
    assert received["HTTP_X_AUTH_ISSUER"] == "cognito"
    assert received["HTTP_X_CUSTOM"] == "kept"


@pytest.mark.skipif(shutil.which("php") is None, reason="no php on PATH (Debian: apt-get install php-cli)")
def test_php_folds_a_dot_into_the_same_name_so_the_spellings_matter(tmp_path: Path) -> None:
    port = free_port()
    with Children(tmp_path) as children:
        served = children.start("php", _php(tmp_path, port), child_environment())
        children.wait_until_ready(served, f"http://{LOOPBACK}:{port}/")
        answer = send(f"http://{LOOPBACK}:{port}", "/", b"x-auth.subject: " + FORGED.encode())

    assert json.loads(answer.body)["HTTP_X_AUTH_SUBJECT"] == FORGED
