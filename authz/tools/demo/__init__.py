"""The tour: a Cognito stand-in, an upstream, real Envoy and the sidecar, started and ended together."""
