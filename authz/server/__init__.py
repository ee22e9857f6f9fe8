"""The gRPC server, and the supervisor and worker processes that run it."""
