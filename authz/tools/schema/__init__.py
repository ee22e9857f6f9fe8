"""JSON Schemas of what operators write, for editors: completion, descriptions, mistakes while typing."""
