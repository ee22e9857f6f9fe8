"""The model of one Envoy configuration: listeners and clusters, and the way from one to the other.

    Resources
      Listener > FilterChain > NetworkFilter > ConnectionManager
        HttpFilter > wrapped HttpFilter
        UpgradeChain > HttpFilter
        RouteTable > VirtualHost > Route > RouteTarget > Attachment
      Cluster > address

Every part has `fields`, which know their path in the document. Nothing is checked here: `serve`, `lint`, `explain` and
the policy tests decide what matters to them. Unknown fields are ignored, so a configuration of a newer Envoy can be
read. Every part is built when it is first used, and only once.
"""

from __future__ import annotations

from functools import cached_property

from authz.envoy.clusters import Cluster
from authz.envoy.document import YamlDocument
from authz.envoy.fields import Fields
from authz.envoy.http_filters import EXT_AUTHZ
from authz.envoy.listeners import ConnectionManager, Listener


class Resources:
    """The static resources of one document."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.root = Fields.root(document.data)
        self._static = self.root.get("static_resources")

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners."""
        return tuple(map(Listener, self._static.each("listeners")))

    @cached_property
    def managers(self) -> tuple[ConnectionManager, ...]:
        """The HTTP connection managers of all listeners."""
        return tuple(manager for listener in self.listeners for manager in listener.managers)

    @cached_property
    def clusters(self) -> dict[str, Cluster]:
        """The clusters by name. Envoy refuses a file in which two have the same name."""
        found: dict[str, Cluster] = {}
        for fields in self._static.each("clusters"):
            cluster = Cluster(fields)
            found.setdefault(cluster.name, cluster)
        return found

    @cached_property
    def own_clusters(self) -> frozenset[str]:
        """The clusters of the ext_authz filters that this sidecar serves.

        A chain can have a second filter for another service, such as OPA. Only routes of this sidecar's filter set a
        `policy`. If no route does, every ext_authz filter counts.
        """
        services = (each.get("grpc_service", "envoy_grpc") for each in self.messages(".ext_authz.v3.ExtAuthz"))
        every = frozenset(each.text("cluster_name") for each in services if each)
        if len(every) <= 1:
            return every
        filters = tuple(
            each
            for manager in self.managers
            for run in manager.runs
            for entry in run
            for each in entry.every()
            if each.service and each.kind == EXT_AUTHZ and each.name in manager.policy_filters
        )
        return frozenset(each.service for each in filters) or every

    @cached_property
    def mappings(self) -> tuple[Fields, ...]:
        """Every mapping of the document, in order."""
        return tuple(self.root.inside())

    def messages(self, type_ending: str) -> tuple[Fields, ...]:
        """Every message whose `@type` has this ending, wherever it is in the document.

        `serve` uses this instead of the walk along listeners, so a filter inside of an extension that this package
        does not know still counts.
        """
        return tuple(each for each in self._typed if each.type_url.endswith(type_ending))

    @cached_property
    def _typed(self) -> tuple[Fields, ...]:
        return tuple(each for each in self.mappings if "@type" in each.value)
