"""The gRPC face: bytes in, one straight line of decisions, bytes out; and the processes that carry it."""
