"""A gRPC ext_authz sidecar for Envoy: decides per route whether this bearer token may do this."""

__version__ = "0.1.0"
