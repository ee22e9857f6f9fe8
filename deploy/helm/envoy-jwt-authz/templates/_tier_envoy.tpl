{{- /* Envoy of the shared tier: it terminates mTLS, carries checks and health checks to the workers of its pod, and answers
nothing else. */ -}}
{{- define "envoy-jwt-authz.tier.envoyYaml" -}}
# authz-lint: allow AUTHZ101 because the filters are in other Envoys, and authz is told with --listen where to serve
node:
  id: {{ .Release.Name }}
  cluster: {{ .Values.tier.realm | quote }}                     # the realm of challenges
  metadata:
    authz:
      {{- toYaml .Values.tier.authz | nindent 6 }}

admin:
  address: { socket_address: { address: 127.0.0.1, port_value: 9901 } }

overload_manager:
  refresh_interval: 0.25s
  resource_monitors:
  - name: envoy.resource_monitors.fixed_heap
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig
      max_heap_size_bytes: 1073741824
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 20000
  actions:
  - name: envoy.overload_actions.shrink_heap
    triggers: [{ name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.9 } }]
  - name: envoy.overload_actions.stop_accepting_requests
    triggers: [{ name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.95 } }]

static_resources:
  listeners:
  - name: checks
    address: { socket_address: { address: 0.0.0.0, port_value: {{ .Values.tier.port }} } }
    per_connection_buffer_limit_bytes: 1048576
    filter_chains:
    - transport_socket_connect_timeout: 5s
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          # A resumed session would skip the look at a certificate that has expired or changed since.
          disable_stateless_session_resumption: true
          disable_stateful_session_resumption: true
          common_tls_context:
            alpn_protocols: [h2]
            tls_params: { tls_minimum_protocol_version: TLSv1_3 }
            tls_certificate_sds_secret_configs:
            - name: server-certificate
              sds_config:
                resource_api_version: V3
                path_config_source:
                  path: /etc/envoy/secrets/server-certificate.yaml
                  watched_directory: { path: /etc/envoy/secrets }
            validation_context_sds_secret_config:
              name: client-authority
              sds_config:
                resource_api_version: V3
                path_config_source:
                  path: /etc/envoy/secrets/client-authority.yaml
                  watched_directory: { path: /etc/envoy/secrets }
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: checks
          codec_type: HTTP2
          use_remote_address: true
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          common_http_protocol_options: { idle_timeout: 3600s, headers_with_underscores_action: REJECT_REQUEST }
          # One connection of a client Envoy carries the checks of all its requests.
          http2_protocol_options:
            max_concurrent_streams: 4096
            initial_stream_window_size: 65536
            initial_connection_window_size: 16777216
          request_headers_timeout: 5s
          stream_idle_timeout: 30s
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          route_config:
            name: checks
            virtual_hosts:
            - name: checks
              domains: ["*"]
              routes:
              - match: { path: /envoy.service.auth.v3.Authorization/Check }
                route:
                  cluster: authz
                  timeout: 0s
                  max_stream_duration: { max_stream_duration: 5s, grpc_timeout_header_max: 5s }
                  retry_policy:                                 # a worker that ends loses no check
                    num_retries: 2
                    retry_on: cancelled,connect-failure,refused-stream,reset,unavailable
                    retry_back_off: { base_interval: 0.01s, max_interval: 0.1s }
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
                    host_selection_retry_max_attempts: 3
              # The health of the workers behind, so that clients leave a pod whose authz drains or is gone.
              - match: { path: /grpc.health.v1.Health/Check }
                route: { cluster: authz, timeout: 1s }
              - match: { prefix: / }
                direct_response: { status: 404 }

  # For Prometheus and kubelet: statistics and readiness, nothing else of the admin interface.
  - name: metrics
    address: { socket_address: { address: 0.0.0.0, port_value: 9902 } }
    per_connection_buffer_limit_bytes: 32768
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: metrics
          use_remote_address: true
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          common_http_protocol_options: { idle_timeout: 300s, headers_with_underscores_action: REJECT_REQUEST }
          request_headers_timeout: 10s
          stream_idle_timeout: 30s
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: metrics
            virtual_hosts:
            - name: metrics
              domains: ["*"]
              routes:
              - match: { path: /stats/prometheus, headers: [{ name: ":method", string_match: { exact: GET } }] }
                route: { cluster: envoy-admin, timeout: 5s }
              - match: { path: /ready, headers: [{ name: ":method", string_match: { exact: GET } }] }
                route: { cluster: envoy-admin, timeout: 1s }

  clusters:
  - name: authz
    connect_timeout: 0.25s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }    # no keepalive pings: gRPC answers them with GOAWAY
    load_assignment:
      cluster_name: authz
      endpoints:
      - lb_endpoints:                                           # one authz worker per line
        {{- range $worker := until (int .Values.tier.workers) }}
        - endpoint: { address: { pipe: { path: /run/authz/authz-{{ $worker }}.sock } } }
        {{- end }}
    # None is asked while none is healthy: the client tries another pod at once.
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    health_checks:
    - grpc_health_check: {}
      timeout: 1s
      interval: 1s
      no_traffic_interval: 1s
      unhealthy_threshold: 2
      healthy_threshold: 1
    circuit_breakers:
      thresholds:
      - { max_requests: 4096, max_pending_requests: 4096, max_retries: 256 }

  - name: envoy-admin
    connect_timeout: 1s
    load_assignment:
      cluster_name: envoy-admin
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
{{- end }}
