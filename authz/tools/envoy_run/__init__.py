"""A user's own Envoy YAML, run by the real Envoy on loopback with everything outside of it replaced."""
