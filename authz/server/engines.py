"""The choice of the data plane: the HTTP/2 server half of this package, or grpcio's public server."""

from __future__ import annotations

from authz.server.engine import Engine, Service
from authz.server.http2_engine import Http2Engine
from authz.server.listener import ListeningSocket

CHOICES = ("h2", "grpc")


def start(choice: str, address: str, service: Service, inherited: ListeningSocket | None = None) -> Engine:
    """Bind an engine to the address, or use the inherited socket (`h2` only). Raises CannotListen."""
    if choice == "grpc":
        from authz.server.grpc_engine import GrpcEngine  # noqa: PLC0415 - 20 MiB and 0.1 s that only this choice costs

        return GrpcEngine(address, service)
    return Http2Engine(address, service, inherited=inherited)
