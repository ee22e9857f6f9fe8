"""Whether loop.py's private gRPC calls behave here: one real call over a real socket before anything depends on it."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import grpc

from authz.server.engine import Service

TEST_SECONDS = 2.0
_METHOD = "/authz.SelfTest/Echo"


def loop_works() -> bool:
    """Serve one call on a socket of our own, and see the message come back and the loop end."""
    try:
        from authz.server.loop import Loop  # noqa: PLC0415 - its import is part of what is tested

        with tempfile.TemporaryDirectory(prefix="authz-") as folder:
            address = f"unix:{Path(folder) / 'selftest.sock'}"
            loop = Loop(address, Service({_METHOD: lambda message, _call: message[::-1]}, lambda _call: b""))
            thread = threading.Thread(target=loop.serve, name="selftest", daemon=True)
            thread.start()
            with grpc.insecure_channel(address) as channel:
                answer = channel.unary_unary(_METHOD, None, None)(b"abc", timeout=TEST_SECONDS)
            loop.stop(0.0)
            thread.join(TEST_SECONDS)
            return bool(answer == b"cba") and not thread.is_alive()
    except Exception:  # noqa: BLE001 - whatever goes wrong in private calls means that they cannot be used
        return False
