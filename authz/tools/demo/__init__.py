"""The tour: a Cognito emulator, an upstream, real Envoy and the sidecar, started and stopped together."""
