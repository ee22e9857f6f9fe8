"""Which engine is chosen. `test_the_loop_works_with_the_installed_grpcio` is the alarm for a new grpcio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authz.server import engines, selftest
from authz.server.engine import CannotListen, Service
from authz.server.loop import Loop, LoopCall
from authz.server.public import PublicServer
from authz.server.selftest import grpcio, loop_fault

SERVICE = Service({}, lambda _call: b"")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path / 'e.sock'}"


def end(engine: Any) -> None:
    engine.stop(0.0)
    engine.serve()


def test_the_loop_works_with_the_installed_grpcio() -> None:
    """If this fails after `make lock`, authz/server/loop.py no longer fits grpcio's private calls (docs/adr/0006)."""
    fault = loop_fault()

    assert fault is None, f"authz/server/loop.py does not work with {grpcio()}: {fault}. Do not ship this lock file."


def test_auto_takes_the_loop(address: str) -> None:
    started = engines.start("auto", address, SERVICE)

    assert isinstance(started.engine, Loop)
    assert (started.name, started.fault) == ("loop", "")
    end(started.engine)


def test_public_is_taken_where_it_is_asked_for(address: str) -> None:
    started = engines.start("public", address, SERVICE)

    assert isinstance(started.engine, PublicServer)
    assert (started.name, started.fault) == ("public", "")
    end(started.engine)


def _raises(*_: object) -> None:
    raise AttributeError("no such private call")


def _forgets_replies(_call: LoopCall, _message: bytes) -> None:
    return


def _answers_all(call: LoopCall, answer: object) -> None:
    finish(call, answer if isinstance(answer, bytes) else b"anything")


finish: Callable[..., None] = LoopCall.finish

BREAKAGES: dict[str, tuple[tuple[object, str, object], str]] = {
    "a private call is gone": ((Loop, "_ask_for_call", _raises), ""),
    "constructing raises": ((Loop, "__init__", _raises), "no such private call"),
    "later replies are lost": ((LoopCall, "reply", _forgets_replies), "later did not arrive"),
    "unknown methods are answered": ((LoopCall, "finish", _answers_all), "unknown method was not refused"),
    "it does not end": ((Loop, "stop", lambda *_: None), "does not end"),
}


@pytest.fixture(params=list(BREAKAGES))
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    (where, name, broken), text = BREAKAGES[request.param]
    monkeypatch.setattr(where, name, broken)
    monkeypatch.setattr(selftest, "TEST_SECONDS", 0.3)
    return str(text)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_auto_falls_back_to_the_public_server_where_the_loop_is_broken_and_says_why(said: str, address: str) -> None:
    started = engines.start("auto", address, SERVICE)

    assert isinstance(started.engine, PublicServer)
    assert started.name == "public"
    assert said in started.fault
    assert grpcio() in started.fault
    end(started.engine)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_is_demanded_and_broken_is_an_error_that_names_the_cure(said: str, address: str) -> None:
    with pytest.raises(CannotListen, match="Leave --engine at `auto`") as caught:
        engines.start("loop", address, SERVICE)

    assert said in str(caught.value)
    assert grpcio() in str(caught.value)


@pytest.mark.parametrize("choice", ["loop", "public"])
def test_an_address_that_cannot_be_bound_is_named(choice: str, tmp_path: Path) -> None:
    nowhere = f"unix:{tmp_path / 'missing' / 'e.sock'}"

    with pytest.raises(CannotListen, match="missing"):
        engines.start(choice, nowhere, SERVICE)
