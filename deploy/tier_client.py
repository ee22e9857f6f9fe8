"""The parts of deploy/shared-tier/client.yaml in which a client of the shared tier differs from its source.

The source is deploy/examples/cognito-api-only.yaml.
"""

ABOUT = """\
# Envoy in front of one service, with authz as a shared tier (docs/shared-tier.md). Written for Envoy 1.40.
# Generated from deploy/examples/cognito-api-only.yaml by `make docs`. Change the lines marked CHANGE in a copy.
#
# Issuers and policies are in the values of the tier's chart. The routes here name those policies.
# Three small files lead Envoy to its certificates. Each is one SDS resource, as deploy/kubernetes/base/
# server-certificate.yaml is one: server-certificate and client-certificate hold `tls_certificate`, tier-authority holds
# `validation_context: { trusted_ca: { filename: … } }`. Envoy follows changes to them and to the files they name.

node:
  # authz-lint: allow AUTHZ101 because issuers and policies are those of the tier
  id: orders-api                                              # CHANGE: the same name
  cluster: orders-api                                         # CHANGE: the service's name
"""

RETRY_PRIORITY = """\
                  retry_priority:                               # the second attempt leaves the zone
                    name: envoy.retry_priorities.previous_priorities
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig
                      update_frequency: 1
"""  # noqa: E501 - the name of Envoy's type

CLUSTER = """\
  - name: authz
    type: STRICT_DNS                                            # headless Services: every pod is an endpoint
    connect_timeout: 1s
    dns_refresh_rate: 2s                                        # shorter than the pods' preStop sleep of 15 s
    lb_policy: ROUND_ROBIN                                      # LEAST_REQUEST prefers a pod that just went away
    load_assignment:
      cluster_name: authz
      endpoints:
      # The pods of this zone first. Fewer than 72 % of them healthy: a share of the checks goes to all pods.
      - priority: 0
        lb_endpoints:
        - endpoint:
            address:
              # authz-lint: allow AUTHZ101 because authz runs in the tier, behind mTLS
              socket_address:
                address: authz-zone-a.shared.svc.cluster.local      # CHANGE: a Service of tier.zones
                port_value: 9443
      - priority: 1
        lb_endpoints:
        - endpoint:
            address:
              # authz-lint: allow AUTHZ101 because authz runs in the tier, behind mTLS
              socket_address:
                address: authz.shared.svc.cluster.local             # CHANGE: RELEASE.NAMESPACE.svc.cluster.local
                port_value: 9443
    # With no healthy pod the request gets 503 at once, instead of waiting for pods that do not answer.
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    health_checks:
    - grpc_health_check: {}                                     # goes through the tier's Envoy to its authz
      timeout: 1s
      interval: 1s
      interval_jitter: 0.5s
      no_traffic_interval: 1s
      unhealthy_threshold: 2
      healthy_threshold: 1
    circuit_breakers:
      thresholds:
      - { priority: DEFAULT, max_requests: 4096, max_pending_requests: 4096, max_retries: 256 }
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http2_protocol_options:
            # A node that is lost closes no connection, so Envoy has to ask.
            # authz-lint: allow AUTHZ804 because the other end is the tier's Envoy, which answers pings
            connection_keepalive: { interval: 5s, timeout: 2s }
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: authz.shared.svc.cluster.local                         # CHANGE: the name in the tier's certificate
        max_session_keys: 0                                     # every connection looks at the certificate
        common_tls_context:
          alpn_protocols: [h2]
          tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }
          tls_certificate_sds_secret_configs:
          - name: client-certificate
            sds_config:
              resource_api_version: V3
              path_config_source:
                path: /etc/envoy/secrets/client-certificate.yaml
                watched_directory: { path: /etc/envoy/secrets }
          combined_validation_context:
            default_validation_context:
              match_typed_subject_alt_names:
              - { san_type: DNS, matcher: { exact: authz.shared.svc.cluster.local } }  # CHANGE: the same name
            validation_context_sds_secret_config:
              name: tier-authority
              sds_config:
                resource_api_version: V3
                path_config_source:
                  path: /etc/envoy/secrets/tier-authority.yaml
                  watched_directory: { path: /etc/envoy/secrets }
"""
