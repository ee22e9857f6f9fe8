"""Two readers of one path: the policy that Envoy applies is never weaker than the resource that the upstream serves.

Spellings are generated, sent byte by byte, and taken as they reached the upstream. Each server family then resolves
them in its own way; the policy of the resource it would serve must not be stricter than the policy that was applied.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from authz.tools.demo.proxy import start_envoy
from authz.tools.demo.stack import Stack
from authz.tools.processes.children import Children
from authz.tools.processes.machine import free_port
from tests.e2e.conftest import Tokens
from tests.e2e.raw import send
from tests.fakes.log_lines import complete_lines
from tests.fakes.path_readers import readings

SPELLINGS = 500
SEED = 20261125

STRENGTH: Mapping[str, int] = MappingProxyType({"public": 0, "authenticated": 1, "orders-read": 2, "deny": 3})

DOTS: tuple[str, ...] = (
    "..",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "..;",
    "..;a=b",
    "%2e%2e;",
    "..%3b",
    "..%3Ba",
    "..%00",
    "..%20",
    ".. ",
    "...",
)
DOTS += (
    "..%09",
    "..%255c",
    "%252e%252e",
    "%u002e%u002e",
    "%c0%ae%c0%ae",
    "..%23",
    "..%3f",
    ".;",
    ".",
    "..%ef%bc%8f",
    "..,",
)
SLASHES = ("/", "//", "/./", "/;/", "/;a/", ";/", "\\", "%5c", "%2f", "/%20/", "/%2e/", "%252f", "%u002f", "/.;/")
STARTS = (
    "/orders",
    "/healthz",
    "",
    "/orders/1",
    "/orders;a",
    "/ORDERS",
    "/orders%00",
    "/healthz%3f",
    "/healthz%23",
    "/healthz;",
)
ENDS = (
    "admin",
    "orders",
    "healthz",
    "ADMIN",
    "orders/",
    "%61dmin",
    "admin;x",
    "",
    "admin%00",
    "admin.",
    "orders%20",
    "healthz.",
)


def spellings() -> Iterator[str]:
    """The known ones first, then a fixed random choice of all combinations."""
    yield from (
        "/orders/%2e%2e;/admin",
        "/orders/.%2e;/x",
        "/orders\\..;\\x",
        "/orders;/admin",
        "/;/admin",
        "/orders/a/..;/..;/admin",
    )
    every = list(itertools.product(STARTS, SLASHES, DOTS, SLASHES, ENDS))
    chosen = random.Random(SEED).sample(every, SPELLINGS)  # noqa: S311 - a choice of tests, not a secret
    yield from ("".join(parts) if parts[0] else "/" + "".join(parts[2:]) for parts in chosen)


def policy_of(path: str) -> str:
    """The policy that deploy/envoy.yaml gives to a GET of a plain path."""
    if path == "/healthz":
        return "public"
    if path == "/":
        return "authenticated"
    return "orders-read" if path == "/orders" or path.startswith("/orders/") else "deny"


@dataclass(frozen=True, slots=True)
class Bypass:
    """A target that reached the upstream under a weaker policy than its own."""

    target: str
    applied: str
    family: str
    served: str


def bypasses(home: str, access_log: Path, token: str) -> list[Bypass]:
    """Send every spelling and hold what reached the upstream against the policy that Envoy's log says was applied."""
    reached: dict[str, str] = {}
    for target in spellings():
        answer = send(home, target, b"authorization: Bearer " + token.encode(), b"accept: application/json")
        if answer.status == 200:
            request_id = answer.head.partition("x-request-id: ")[2].split()[0]
            reached[request_id] = answer.path
    applied = _applied(access_log, set(reached))
    assert set(applied) == set(reached), "every request that reached the upstream is in the access log"
    return [
        Bypass(target, applied[request_id], family, served)
        for request_id, target in reached.items()
        for family, served in readings(target)
        if STRENGTH[policy_of(served)] > STRENGTH[applied[request_id]]
    ]


def _applied(access_log: Path, wanted: set[str]) -> dict[str, str]:
    """The policy of each request, by request id. Waits for Envoy to flush its log."""
    until = time.monotonic() + 10
    found: dict[str, str] = {}
    while time.monotonic() < until and set(found) != wanted:
        time.sleep(0.2)
        for line in complete_lines(access_log):
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("request_id") in wanted:
                    found[entry["request_id"]] = entry["policy"]
    return found


@contextmanager
def with_the_old_guard(stack: Stack) -> Iterator[tuple[str, Path]]:
    """The shipped file as it was before: its first route named a few bad spellings instead of the good ones."""
    config = yaml.safe_load(stack.place.configuration.read_text(encoding="utf-8"))
    listener = config["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (host,) = manager["route_config"]["virtual_hosts"]
    (guard,) = host["routes"][0]["match"]["headers"]
    assert guard.pop("invert_match") is True
    guard["string_match"]["safe_regex"]["regex"] = "[^?]*%(25|[cC][01]).*"
    directory = stack.place.directory / "old-guard"
    directory.mkdir()
    place = replace(stack.place, directory=directory, port=free_port(), admin_port=free_port())
    listener["address"]["socket_address"]["port_value"] = place.port
    config["admin"]["address"]["socket_address"]["port_value"] = place.admin_port
    place.configuration.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    with Children(directory) as children:
        start_envoy(children, place)
        yield place.home, place.access_log


def test_no_spelling_reaches_a_resource_under_a_weaker_policy_than_its_own(stack: Stack, bearer: Tokens) -> None:
    assert bypasses(stack.place.home, stack.place.access_log, bearer.granted) == []


def test_the_oracle_finds_the_ways_around_the_old_file(stack: Stack, bearer: Tokens) -> None:
    with with_the_old_guard(stack) as (home, access_log):
        found = bypasses(home, access_log, bearer.granted)

    assert {bypass.family for bypass in found} >= {"servlet", "PHP", ".NET", "nginx"}
    assert any(bypass.target.startswith("/orders/..;") and bypass.served == "/admin" for bypass in found)


@pytest.mark.parametrize(
    "target",
    [
        "/orders/a.b-c_d~e",
        "/orders/.well-known",
        "/orders/a:batch",
        "/orders/%E6%B3%A8%E6%96%87",
        "/orders/a%20b",
        "/orders/me%40example.com",
        "/orders?next=/a/../b;c%2f%00",
        "/orders/a=1,b=2",
        "/orders/",
        "/orders/%7Bid%7D",
    ],
)
def test_a_plain_path_in_its_usual_spelling_is_served(home: str, bearer: Tokens, target: str) -> None:
    answer = send(home, target, b"authorization: Bearer " + bearer.granted.encode())

    assert answer.status == 200
    assert answer.path == target
