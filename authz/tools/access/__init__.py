"""Compute who can reach what: regions of requests, policies as formulas, and the difference of two configurations."""
