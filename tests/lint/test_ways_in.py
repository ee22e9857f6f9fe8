"""Lint finds every planted way around ext_authz, and the real Envoy lets a request without a token through it."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.key_lookup import KeyLookup
from authz.server.engine import Service
from authz.server.http2_engine import Http2Engine
from authz.server.methods import CHECK_METHOD
from authz.server.served_rules import ServedRules
from authz.tools.lint.examine import examine
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.fakes.checks import FixedKeys
from tests.lint import detours
from tests.lint.detours import DETOURS, SECOND_PORT, Config, Detour, clean, planted

_NAMES = [each.name for each in DETOURS]
_SECONDS = 30.0
_FAMILY = {"AUTHZ304", "AUTHZ305", "AUTHZ306", "AUTHZ308"}


def _found(data: Config) -> list[tuple[str, str]]:
    return [(each.rule.code, each.message) for each in examine(json.dumps(data), "f")]


@pytest.mark.parametrize("detour", DETOURS, ids=_NAMES)
def test_lint_names_the_way_around_and_nothing_of_another_kind(detour: Detour) -> None:
    found = [each for each in _found(planted(detour)) if each[0] in _FAMILY]

    assert {code for code, _message in found} == {detour.code}
    assert all("listener " in message and "> cluster " in message for _code, message in found)


@settings(max_examples=60)
@given(detour=st.sampled_from(DETOURS), shuffle=st.randoms(use_true_random=False))
def test_a_way_around_is_found_in_any_order_of_the_file(detour: Detour, shuffle: Random) -> None:
    data = planted(detour)
    _shuffle(data, shuffle)

    assert detour.code in {code for code, _message in _found(data)}


@settings(max_examples=40)
@given(shuffle=st.randoms(use_true_random=False), extra=st.sampled_from(["none", "redirect", "unused", "other", "opa"]))
def test_a_clean_file_in_another_order_has_no_finding(shuffle: Random, extra: str) -> None:
    data = clean()
    _extend(data, extra)
    _shuffle(data, shuffle)

    assert _found(data) == []


def _shuffle(value: Config, shuffle: Random) -> None:
    """Put the listeners, the clusters and the keys of every mapping into another order."""
    for name in ("listeners", "clusters"):
        shuffle.shuffle(value["static_resources"][name])
    _shuffle_keys(value, shuffle)


def _shuffle_keys(value: object, shuffle: Random) -> None:
    if isinstance(value, dict):
        items = list(value.items())
        shuffle.shuffle(items)
        value.clear()
        value.update(items)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shuffle_keys(inner, shuffle)


def _extend(data: Config, extra: str) -> None:
    """Add a part that leads to no protected cluster."""
    if extra == "redirect":
        redirect = {"match": {"prefix": "/"}, "redirect": {"https_redirect": True}}
        detours.second_listener(data, detours.open_manager(redirect))
    elif extra == "other":
        detours.add_cluster(data, "site", load_assignment=detours.dead_end("site"))
        detours.second_listener(data, detours.open_manager(detours.to("site")))
    elif extra == "unused":
        inner = detours.open_manager(detours.to("app"))
        entry = {"name": "unused", "internal_listener": {}, "filter_chains": [{"filters": [inner]}]}
        data["static_resources"]["listeners"].append(entry)
    elif extra == "opa":
        service = {"envoy_grpc": {"cluster_name": "opa"}, "timeout": "0.5s"}
        config = {"@type": detours.gate(data)["typed_config"]["@type"], "transport_api_version": "V3"}
        opa = {"name": "opa", "typed_config": {**config, "grpc_service": service}}
        detours.manager(data)["http_filters"].insert(0, opa)
        options = data["static_resources"]["clusters"][1]["typed_extension_protocol_options"]
        address = detours.dead_end("opa")
        detours.add_cluster(data, "opa", load_assignment=address, typed_extension_protocol_options=options)


@pytest.mark.parametrize("detour", DETOURS, ids=_NAMES)
def test_envoy_lets_a_request_without_a_token_through(detour: Detour) -> None:
    with _running(planted(detour)) as world:
        assert world.reaches_upstream(detour)


def test_envoy_stops_the_request_of_every_way_in_the_clean_file() -> None:
    with _running(clean()) as world:
        for detour in DETOURS:
            if detour.port != SECOND_PORT:
                assert not world.reaches_upstream(detour), detour.name


@pytest.mark.parametrize(
    ("rules", "is_forged"),
    [
        (None, False),
        ({"disallow_all": True}, True),
        ({"disallow_expression": {"regex": "x-auth-.*"}}, True),
        ({"disallow_all": True, "allow_expression": {"regex": "x-auth-.*"}}, False),
        ({"disallow_expression": {"regex": "x-auth-.*"}, "allow_expression": {"regex": "x-auth-.*"}}, True),
        ({"disallow_system": True}, False),
    ],
)
def test_lint_knows_which_mutation_rules_let_a_forged_identity_through(
    rules: Config | None, *, is_forged: bool
) -> None:
    data = clean()
    if rules is not None:
        detours.gate(data)["typed_config"]["decoder_header_mutation_rules"] = rules
    found = {code for code, _message in _found(data)}
    del detours.manager(data)["early_header_mutation_extensions"]
    request = Detour("", "", lambda _data: None, path="/healthz", headers={"x-auth-subject": "mallory"})

    with _running(data) as world:
        assert world.reaches_upstream(request)
        assert ("x-auth-subject" in world.received[0]) == is_forged
    assert ("AUTHZ309" in found) == is_forged


class _World:
    """A running Envoy with this sidecar and an upstream that counts."""

    def __init__(self, ports: dict[int, int]) -> None:
        self.ports = ports
        self.received: list[dict[str, str]] = []

    def reaches_upstream(self, detour: Detour) -> bool:
        self.received.clear()
        connection = http.client.HTTPConnection(LOOPBACK, self.ports[detour.port], timeout=_SECONDS)
        try:
            connection.request("GET", detour.path, headers=dict(detour.headers))
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        end = time.monotonic() + (1.0 if "mirror" in detour.name else 0.0)
        while not self.received and time.monotonic() < end:
            time.sleep(0.02)
        return bool(self.received)


@contextmanager
def _running(data: Config) -> Iterator[_World]:
    first, second, upstream_port, admin = free_ports(4)
    world = _World({8080: first, SECOND_PORT: second})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp")))
        stack.enter_context(_upstream(upstream_port, world))
        stack.enter_context(_sidecar(str(folder / "authz.sock"), data))
        text = json.dumps(
            {**data, "admin": {"address": {"socket_address": {"address": LOOPBACK, "port_value": admin}}}}
        )
        for old, new in ((8080, first), (SECOND_PORT, second), (8081, upstream_port)):
            text = text.replace(f'"port_value": {old}}}', f'"port_value": {new}}}')
        text = text.replace("/run/authz/authz.sock", str(folder / "authz.sock")).replace('"0.0.0.0"', f'"{LOOPBACK}"')
        (folder / "envoy.json").write_text(text, encoding="utf-8")
        children = stack.enter_context(Children(folder))
        arguments = ["-c", str(folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        envoy = children.start("envoy", [envoy_command(), *arguments], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready")
        yield world


@contextmanager
def _upstream(port: int, world: _World) -> Iterator[None]:
    class Counting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            world.received.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Log nothing."""

    server = ThreadingHTTPServer((LOOPBACK, port), Counting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _sidecar(path: str, data: Config) -> Iterator[None]:
    configuration = compile_configuration(data["node"]["metadata"]["authz"])
    rules = ServedRules.of(configuration, "orders-api", KeyLookup({"partner": FixedKeys(None)}))

    def check(message: bytes, _call: object) -> bytes:
        return rules.renderer.render(decide(rules, message, 0.0, may_wait=False))

    server = Http2Engine(f"unix:{path}", Service({CHECK_METHOD: check}, lambda _call: b""))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop(0.0)
        thread.join(_SECONDS)
