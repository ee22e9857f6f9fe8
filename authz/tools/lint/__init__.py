"""`authz lint`: problems in an Envoy configuration that Envoy and the sidecar accept."""
