"""A whole sidecar with both engines, and the gRPC clients of other languages: tonic and grpc-go."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.peers.build import PEERS, NotBuilt, Peer, ready
from tests.fakes.checks import check_request
from tests.fakes.sidecar import SECONDS, fresh_token, sidecar
from tests.server.serving import ENGINES

CALLS = 2000


def outcomes(peer: Peer, socket: str, message: bytes, folder: Path) -> dict[str, int]:
    """The outcomes of CALLS calls over one connection, 64 at once."""
    try:
        ready(peer, may_build=False)
    except NotBuilt as missing:
        pytest.skip(f"{peer.language}: {missing}")
    file = folder / "message"
    file.write_bytes(message)
    ran = subprocess.run([peer.client, socket, file, str(CALLS)], capture_output=True, timeout=SECONDS, check=True)
    lines = [line.split() for line in ran.stdout.decode().splitlines()]
    return {outcome: int(number) for number, outcome in lines}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.language)
def test_every_call_of_a_client_in_another_language_gets_its_answer(peer: Peer, engine: str, tmp_path: Path) -> None:
    with sidecar(1, "--engine", engine) as one:
        socket = one.addresses[0].removeprefix("unix:")

        assert outcomes(peer, socket, check_request(fresh_token(), "reading"), tmp_path) == {"allow": CALLS}
        assert outcomes(peer, socket, check_request(None, "reading"), tmp_path) == {"deny": CALLS}
