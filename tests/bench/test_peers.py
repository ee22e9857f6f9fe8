"""The servers in other languages do the same check as authz for the tokens of the bench."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import grpc
import pytest

from authz.server.methods import CHECK_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from bench import traffic
from bench.inside import answer_to
from bench.peers.build import PEERS, NotBuilt, Peer
from bench.place import Place, place
from bench.plan import SMOKE

MODES = [
    pytest.param(mode, id=f"{mode[0].language}-{'cached' if mode[1] else 'verifying'}")
    for mode in product(PEERS, (True, False))
]


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place(replace(SMOKE, builds_peers=False)) as found:
        yield found


@pytest.fixture(params=MODES)
def socket(here: Place, request: pytest.FixtureRequest) -> Iterator[Path]:
    peer: Peer
    peer, has_cache = request.param
    try:
        running = here.peer(peer, has_cache=has_cache)
        _program, path = running.__enter__()
    except NotBuilt as missing:
        pytest.skip(f"{peer.language}: {missing}")
    yield path
    running.__exit__(None, None, None)


def check(socket: Path, message: bytes) -> pb.CheckResponse:
    # grpcio would send the percent-encoded path as :authority, which hyper resets as malformed.
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(f"unix:{socket}", options) as channel:
        answer: bytes = channel.unary_unary(CHECK_METHOD, None, None)(message, timeout=10)
    return pb.CheckResponse.FromString(answer)


def message(here: Place, policy: str = "orders-read", **changed: Any) -> bytes:
    return traffic.check_request(traffic.sign(here.key, traffic.claims(**changed)), policy)


def test_good_token_is_allowed_with_the_answer_of_authz_twice(here: Place, socket: Path) -> None:
    """The second answer comes out of the cache, if there is one."""
    wanted = pb.CheckResponse.FromString(answer_to(here.authz(), message(here)))

    for _ in range(2):
        assert check(socket, message(here)) == wanted


def test_token_without_the_scope_is_refused_with_the_answer_of_authz(here: Place, socket: Path) -> None:
    wanted = pb.CheckResponse.FromString(answer_to(here.authz(), message(here, "orders-write")))

    found = check(socket, message(here, "orders-write"))

    assert found.denied_response.status.code == 403
    assert found.denied_response.headers == wanted.denied_response.headers
    assert found.dynamic_metadata == wanted.dynamic_metadata


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1_700_000_000},
        {"iss": "https://other.example.com"},
        {"client_id": "another"},
        {"token_use": "id"},
    ],
    ids=str,
)
def test_token_with_a_bad_claim_is_refused_for_the_reason_of_authz(
    here: Place, socket: Path, changed: dict[str, Any]
) -> None:
    bad = message(here, **changed)
    wanted = pb.CheckResponse.FromString(answer_to(here.authz(), bad))

    found = check(socket, bad)

    assert found.denied_response.status.code == 401
    assert found.dynamic_metadata["reason"] == wanted.dynamic_metadata["reason"]


def test_forged_token_is_refused_also_after_the_good_one(here: Place, socket: Path) -> None:
    check(socket, traffic.check_request(here.token))

    found = check(socket, traffic.check_request(traffic.damaged(here.token)))

    assert found.denied_response.status.code == 401
    assert found.dynamic_metadata["reason"] == "signature_invalid"
