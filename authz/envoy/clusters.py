"""Clusters of an Envoy configuration and their endpoints."""

from __future__ import annotations

from functools import cached_property

from authz.envoy.fields import Fields


class Cluster:
    """One entry of `clusters`."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.name = fields.text("name")

    @property
    def assignment(self) -> Fields:
        """Its `load_assignment`. Empty if the endpoints come from EDS or DNS."""
        return self.fields.get("load_assignment")

    @cached_property
    def addresses(self) -> tuple[Fields, ...]:
        """The `address` of each endpoint."""
        return tuple(
            endpoint.get("endpoint", "address")
            for group in self.assignment.each("endpoints")
            for endpoint in group.each("lb_endpoints")
        )

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The clusters behind an aggregate or composite cluster."""
        config = self.fields.get("cluster_type", "typed_config")
        names = config.raw("clusters") if config.kind == "ClusterConfig" else None
        found = (each.get("name") if isinstance(each, dict) else each for each in names or ())
        return tuple(each for each in found if isinstance(each, str))

    @cached_property
    def protocol(self) -> Fields:
        """Its HttpProtocolOptions."""
        options = self.fields.get("typed_extension_protocol_options")
        return next((each for _, each in options.members() if each.kind == "HttpProtocolOptions"), Fields({}))

    @property
    def http2_options(self) -> tuple[Fields, Fields]:
        """Both places of `http2_protocol_options`: the current one, and the deprecated one in the cluster itself."""
        return (
            self.protocol.get("explicit_http_config", "http2_protocol_options"),
            self.fields.get("http2_protocol_options"),
        )

    @property
    def speaks_http2(self) -> bool:
        """Whether HTTP/2 is configured. An empty `http2_protocol_options: {}` is enough for Envoy."""
        holders = (self.protocol.get("explicit_http_config"), self.fields)
        return any(holder.raw("http2_protocol_options") is not None for holder in holders)
