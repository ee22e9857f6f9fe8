"""Reading the Envoy YAML: positions for people, typed messages for the few subtrees the sidecar needs."""
