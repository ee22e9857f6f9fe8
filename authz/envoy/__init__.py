"""Read Envoy configurations: YAML with positions, and a model from listeners to clusters."""
