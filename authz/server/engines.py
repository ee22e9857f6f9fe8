"""Which data plane carries the calls: the loop where its private calls behave, else grpcio's public server."""

from __future__ import annotations

from dataclasses import dataclass

from authz.server.engine import CannotListen, Engine, Service
from authz.server.selftest import grpcio, loop_fault

CHOICES = ("auto", "loop", "public")


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that is bound to its address."""

    engine: Engine
    name: str
    fault: str
    """Why it is not the loop; empty where that was not wanted, or it is."""


def start(choice: str, address: str, service: Service) -> Started:
    """Bind an engine to the address. Raises CannotListen, also where the loop is demanded and does not work."""
    fault = None if choice == "public" else loop_fault()
    if choice != "public" and fault is None:
        from authz.server.loop import Loop  # noqa: PLC0415 - its import is part of what can fail

        return Started(Loop(address, service), "loop", "")
    fault = f"the loop does not work with {grpcio()}: {fault}" if fault else ""
    if choice == "loop":
        raise CannotListen(f"{fault}. Leave --engine at `auto`, which serves with grpcio's public server instead")
    from authz.server.public import PublicServer  # noqa: PLC0415 - only where it is used

    return Started(PublicServer(address, service), "public", fault)
