"""Programs that a command starts on loopback beside itself: Envoy above all."""
