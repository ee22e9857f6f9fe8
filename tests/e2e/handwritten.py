"""A second Envoy and sidecar, on a configuration written by hand the way the documentation shows it.

Nothing of deploy/envoy.yaml is in it: no login, no header hygiene, no path normalisation. What is safe here is safe
because of the sidecar alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authz.tools.demo.proxy import Place, start_envoy
from authz.tools.demo.stack import Stack, start_sidecar
from authz.tools.processes.children import Child, Children
from authz.tools.processes.machine import free_port
from tests.fakes import checks
from tests.fakes.keys import jwk, jwks

_BOOTSTRAP = """\
node:
  id: orders-api
  cluster: orders-api
  metadata:
    authz:
      issuers:
        cognito:
          profile: cognito
          user_pool_id: {pool.pool_id}
          jwks_uri: {place.cognito}/{pool.pool_id}/.well-known/jwks.json
          client_ids: [{pool.web_client_id}, {pool.api_client_id}]
          userinfo_uri: {place.cognito}/oauth2/userInfo
          grants:
          - when: {{ groups: {{ any_of: [order-readers] }} }}
            scopes: [orders/read]
        corpus:
          profile: cognito
          user_pool_id: {corpus_pool}
          jwks_file: {place.directory}/corpus.json
          client_ids: [{corpus_client}]
      policies:
        orders-read:
          issuers: [cognito]
          scopes: {{ any_of: [orders/read, orders/admin] }}
        orders-next:
          issuers: [cognito]
          scopes: {{ all_of: [orders/write] }}
      revocations_file: {place.directory}/revocations.json
      forward:
        x-auth-subject: sub
        x-auth-username: username
        x-auth-scopes: "@scopes"
        x-auth-email: "@userinfo/email"
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {place.admin_port} }} }} }}
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {place.port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          always_set_request_id_in_response: true
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              grpc_service: {{ envoy_grpc: {{ cluster_name: authz }}, timeout: 1s }}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: app
              domains: ["*"]
              typed_per_filter_config:
                envoy.filters.http.ext_authz:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                  check_settings: {{ context_extensions: {{ policy: deny }} }}          # everything not named below
              routes:
              - match:
                  path_separated_prefix: /orders
                  headers: [{{ name: ":method", string_match: {{ exact: GET }} }}]
                route: {{ cluster: app }}
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    check_settings: {{ context_extensions: {{ policy: orders-read }} }}
{routes}
              - match: {{ prefix: / }}
                route: {{ cluster: app }}
  clusters:
  - name: app
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {place.upstream_port} }} }} }}
  - name: authz
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: authz
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ pipe: {{ path: {place.directory}/authz.sock }} }} }}
        - endpoint: {{ address: {{ pipe: {{ path: {place.directory}/authz2.sock }} }} }}
"""

_ROUTE = """\
              - match: {{ path: {path} }}
                route: {{ cluster: app }}
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    check_settings: {{ context_extensions: {{ {extension} }} }}"""

_ROUTES = {
    "/write": 'policy: "{scopes: [orders/write], groups: [staff]}"',
    "/optional": 'policy: "{optional: true, name: greeting}"',
    "/identity": 'policy: "{token_use: id}"',
    "/recent": "policy: \"{max_age: 1s, scopes: ['orders/read']}\"",
    "/public": "policy: public",
    "/any": "policy: authenticated",
    "/unknown": "policy: no-such-policy",
    "/mistyped": 'policy: "{scpoes: [orders/read]}"',
    "/misnamed": "polcy: public",
    "/empty": 'policy: ""',
    "/asked": 'policy: "{issuers: [cognito], userinfo: true, name: asked}"',
    "/verified": "policy: \"{issuers: [cognito], userinfo: true, claims: {'@userinfo/email_verified': 'true'}}\"",
    "/shadow": 'policy: "{issuers: [cognito], scopes: [orders/read], candidate: orders-next, name: shadow}"',
    "/corpus": 'policy: "{issuers: [corpus]}"',
}


@dataclass(frozen=True, slots=True)
class Handwritten:
    """The second Envoy's address and processes."""

    place: Place
    children: Children
    sidecar: Child
    admin: str
    """The address of the sidecar's metrics, `http://host:port`."""

    @property
    def revocations(self) -> Path:
        """The list that the sidecar watches. It is empty."""
        return self.place.directory / "revocations.json"

    @property
    def home(self) -> str:
        return self.place.home


@contextmanager
def handwritten_envoy(stack: Stack) -> Iterator[Handwritten]:
    """Start the second Envoy and its sidecar, for the emulator and the upstream of a running stack."""
    with tempfile.TemporaryDirectory(prefix="authz-e2e-", dir="/tmp") as name, Children(Path(name)) as children:
        place = Place(Path(name), stack.place.cognito, free_port(), free_port(), stack.place.upstream_port)
        routes = "\n".join(_ROUTE.format(path=path, extension=text) for path, text in _ROUTES.items())
        text = _BOOTSTRAP.format(
            place=place, pool=stack.pool, routes=routes, corpus_pool=checks.POOL, corpus_client=checks.CLIENT
        )
        (place.directory / "corpus.json").write_bytes(jwks(jwk(checks.COGNITO_KEY, checks.COGNITO_KID)))
        place.configuration.write_text(text, encoding="utf-8")
        (place.directory / "revocations.json").write_text('{"revoked": []}', encoding="utf-8")
        sidecar, admin = start_sidecar(children, place.configuration)
        start_envoy(children, place)
        yield Handwritten(place, children, sidecar, admin)
