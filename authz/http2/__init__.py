"""The server half of HTTP/2 as far as unary gRPC needs it: bytes in, requests out. No socket, no thread, no clock."""
