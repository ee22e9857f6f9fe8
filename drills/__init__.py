"""Fault drills against a running sidecar, with figures: `make drills`. Nothing here is imported by the product."""
