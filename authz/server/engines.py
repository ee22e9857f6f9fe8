"""Which data plane carries the calls: the loop where its private calls behave, else grpcio's public server."""

from __future__ import annotations

from authz.server.engine import Engine, Service
from authz.server.selftest import loop_works

CHOICES = ("auto", "loop", "public")


def start(choice: str, address: str, service: Service) -> tuple[Engine, str]:
    """An engine bound to the address, and its name. Raises CannotListen."""
    if choice == "loop" or (choice == "auto" and loop_works()):
        from authz.server.loop import Loop  # noqa: PLC0415 - its import is part of what can fail

        return Loop(address, service), "loop"
    from authz.server.public import PublicServer  # noqa: PLC0415 - only where it is used

    return PublicServer(address, service), "public"
