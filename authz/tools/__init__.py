"""Commands beside the sidecar: lint, explain, policy tests, schemas, demo. The sidecar imports nothing from here."""
