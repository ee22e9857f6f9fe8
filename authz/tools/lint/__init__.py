"""`authz lint`: what is wrong with an Envoy configuration although Envoy and the sidecar start with it."""
