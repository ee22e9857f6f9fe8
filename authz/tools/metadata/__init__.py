"""`authz metadata`: the protected resource metadata (RFC 9728) as a route that Envoy answers itself."""
