"""A small Envoy YAML whose every part a test can exchange."""

from __future__ import annotations

NODE = """\
  id: orders-api
  cluster: orders-api
  metadata:
    authz:
      issuers:
        partner: { profile: oidc, issuer: "https://idp.example.com", audiences: [orders] }
      policies:
        orders-read: { scopes: [orders/read] }
"""

SERVICE = "{ envoy_grpc: { cluster_name: authz }, timeout: 1s }"

ENDPOINTS = "[{ endpoint: { address: { pipe: { path: /run/authz/authz.sock } } } }]"

CLUSTER = """\
  - name: authz
    load_assignment:
      cluster_name: authz
      endpoints:
      - lb_endpoints: ENDPOINTS
"""

FILTER = """\
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              grpc_service: {service}
          route_config:
            virtual_hosts:
            - name: app
              domains: ["*"]
              routes:
              - match: {{ prefix: / }}
                route: {{ cluster: app }}
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    check_settings: {{ context_extensions: {extensions} }}
"""


def bootstrap(
    *,
    node: str = NODE,
    service: str = SERVICE,
    endpoints: str = ENDPOINTS,
    cluster: str = CLUSTER,
    extensions: str = "{ policy: orders-read }",
) -> str:
    """The file, with the given parts instead of the valid ones."""
    return (
        f"node:\n{node}static_resources:\n  listeners:\n  - name: ingress\n    filter_chains:\n"
        + FILTER.format(service=service, extensions=extensions)
        + "  clusters:\n"
        + cluster.replace("ENDPOINTS", endpoints)
    )
