"""What `authz check` looks at: everything that `authz serve` and Envoy need before they listen."""
