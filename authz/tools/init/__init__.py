"""`authz init`: a complete Envoy YAML for one host, written from one template."""
