"""Run a user's Envoy YAML in the real Envoy on loopback, without its network dependencies."""
