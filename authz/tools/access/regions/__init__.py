"""Which requests reach which route of an Envoy configuration, computed.

`region.regions` reads a configuration, and `refinement.overlaps` compares two lists of regions.

Requests are described as the route table sees them, after Envoy has normalized the host and the path. A text is its
bytes, one character each. Only paths that start with a slash are modelled: no `OPTIONS *`, no CONNECT. A header that
Envoy removes or sets itself, such as `x-envoy-internal`, counts as one that the client chooses.
"""
