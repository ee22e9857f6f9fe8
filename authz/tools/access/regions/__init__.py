"""Which requests reach which route of an Envoy configuration, computed.

`region.regions` reads a configuration, and `refinement.overlaps` compares two lists of regions.
"""
