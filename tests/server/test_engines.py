"""Which engine is chosen."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path

import pytest

from authz.server import engines
from authz.server.address import socket_mode
from authz.server.engine import CannotListen, Engine, Service
from authz.tools.processes.machine import free_port
from tests.fakes.waiting import until
from tests.server.serving import ECHO, ENGINES, SECONDS, method, running

SERVICE = Service({}, lambda _call: b"")


def end(engine: Engine) -> None:
    engine.stop(0.0)
    engine.serve()


@pytest.mark.parametrize("choice", engines.CHOICES)
def test_the_engine_that_is_asked_for_is_taken(choice: str, tmp_path: Path) -> None:
    engine = engines.start(choice, f"unix:{tmp_path / 'e.sock'}", SERVICE)

    assert isinstance(engine, ENGINES[choice])  # type: ignore[arg-type]
    end(engine)


@pytest.mark.parametrize("choice", engines.CHOICES)
def test_an_address_that_cannot_be_bound_is_named(choice: str, tmp_path: Path) -> None:
    nowhere = f"unix:{tmp_path / 'missing' / 'e.sock'}"

    with pytest.raises(CannotListen, match="missing"):
        engines.start(choice, nowhere, SERVICE)


@pytest.mark.parametrize("choice", engines.CHOICES)
def test_an_engine_serves_on_tcp(choice: str) -> None:
    with running(ENGINES[choice], address=f"127.0.0.1:{free_port()}") as served, served.channel() as channel:
        assert method(channel, ECHO)(b"abc", timeout=SECONDS) == b"cba"


@pytest.mark.parametrize("choice", engines.CHOICES)
def test_a_socket_is_for_owner_and_group_and_goes_with_its_engine_that_has_served(choice: str, tmp_path: Path) -> None:
    path = tmp_path / "e.sock"

    with socket_mode():
        engine = engines.start(choice, f"unix:{path}", SERVICE)

    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    thread = threading.Thread(target=engine.serve)
    thread.start()
    until(lambda: engine.turns > 0, SECONDS)
    engine.stop(0.0)
    thread.join(SECONDS)
    assert not path.exists()


def test_a_socket_file_that_another_process_put_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "e.sock"
    engine = engines.start("h2", f"unix:{path}", SERVICE)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))

        end(engine)

        assert path.exists()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(CannotListen, match="is not an address"):
        engines.start("h2", "nowhere", SERVICE)
