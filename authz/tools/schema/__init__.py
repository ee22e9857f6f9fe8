"""JSON Schemas of the configuration, for editors: completion, descriptions, errors while typing."""
