"""Whether loop.py's private gRPC calls behave here: real calls over a real socket before anything depends on it."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import grpc

from authz.server.engine import UNIMPLEMENTED, Call, Service

TEST_SECONDS = 2.0
_NOW, _LATER, _UNKNOWN = "/authz.SelfTest/Now", "/authz.SelfTest/Later", "/authz.SelfTest/Unknown"
_EXPECTED = {
    _NOW: (b"cba", "an answer given at once did not arrive"),
    _LATER: (b"abcabc", "an answer given later did not arrive"),
    _UNKNOWN: (UNIMPLEMENTED.code, "an unknown method was not refused"),
}


def loop_fault() -> str | None:
    """What is wrong with the loop, None where nothing is.

    It must answer at once and later from another thread, refuse an unknown method, and end.
    """
    try:
        from authz.server.loop import Loop  # noqa: PLC0415 - its import is part of what is tested

        with tempfile.TemporaryDirectory(prefix="authz-") as folder:
            address = f"unix:{Path(folder) / 'selftest.sock'}"
            loop = Loop(
                address, Service({_NOW: lambda message, _call: message[::-1], _LATER: _later}, lambda _call: b"")
            )
            thread = threading.Thread(target=loop.serve, name="selftest", daemon=True)
            thread.start()
            with grpc.insecure_channel(address) as channel:
                fault = _try(channel)
            loop.stop(0.0)
            thread.join(TEST_SECONDS)
            return fault or ("it does not end" if thread.is_alive() else None)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in private calls means that they cannot be used
        return f"{type(error).__name__}: {error!s:.200}"


def grpcio() -> str:
    """The gRPC that is installed, for messages about it."""
    return f"grpcio {grpc.__version__}"


def _later(message: bytes, call: Call) -> None:
    threading.Thread(target=call.reply, args=(message + message,), daemon=True).start()


def _try(channel: grpc.Channel) -> str | None:
    for method, (expected, fault) in _EXPECTED.items():
        outcome = _outcome(channel, method)
        if outcome != expected:
            return f"{fault} ({outcome!r})"
    return None


def _outcome(channel: grpc.Channel, method: str) -> Any:
    """The answer, or the number of the status that came instead."""
    try:
        return channel.unary_unary(method, None, None)(b"abc", timeout=TEST_SECONDS)
    except grpc.RpcError as error:
        status: Any = error
        return status.code().value[0]
