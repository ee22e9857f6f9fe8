"""Copies of the Envoy configurations for Kubernetes, Helm and clients of the shared tier.

kustomize reads no file above a kustomization's own directory, so each kustomization needs its own copy. A copy for
Kubernetes differs from its source in two things: the values of a deployment are aliases of one block at the top, which
kustomize and Helm fill in, and Prometheus can read Envoy's statistics. Comments are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from authz.tools.init import pages
from deploy import tier_client

_SETTINGS = """\
# kustomize and Helm write the values of this block: each is named once in your kustomization or chart values.
# Keep it first in the file, and keep other quotation marks and slashes out of it.
!ignore deployment:
  name: &name "orders-api"
  host: &host "orders.example.com"
  port: &port "8080"
"""
_CALLBACK = """\
  callback: &callback "https://orders.example.com/oauth2/callback"
"""

_ABOUT = """
# {title}
# Generated from deploy/{source} by `make docs`. Copy this file beside your own kustomization and change the
# lines marked CHANGE. `authz lint` finds problems that `envoy --mode validate` does not.

"""

_ALIASES = (
    (r"^  id: orders-api\b.*$", "  id: *name"),
    (r"^  cluster: orders-api\b.*$", "  cluster: *name  # the realm of challenges"),
    (r"^( +domains: )\[orders\.example\.com\].*$", r"\1[*host]"),
    (r"(address: 127\.0\.0\.1, port_value: )8080( \}.*?)(?: +# CHANGE.*)?$", r"\1*port\2"),
)
_LOGIN_ALIASES = (
    (r"^( +allowed_redirect_domains: )\[orders\.example\.com\].*$", r"\1[*host]"),
    (
        r"^( +redirect_uri: )https://orders\.example\.com/oauth2/callback.*$",
        r"\1*callback  # a callback URL in Cognito",
    ),
)

_METRICS_LISTENER = """\
  # For Prometheus: Envoy's statistics and nothing else of its admin interface. A NetworkPolicy admits monitoring only.
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

"""
_ADMIN_CLUSTER = """
  - name: envoy-admin
    connect_timeout: 1s
    load_assignment:
      cluster_name: envoy-admin
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
"""


class OutOfStep(Exception):
    """A source no longer has a part that a copy replaces."""


def login(text: str) -> str:
    """deploy/envoy.yaml for Kubernetes: API clients, and browsers that sign in through Amazon Cognito."""
    title = "Envoy in front of one service: login through Amazon Cognito, authz for authorization. For Envoy 1.40."
    return _copy(text, title, "envoy.yaml", _SETTINGS + _CALLBACK, (*_ALIASES, *_LOGIN_ALIASES))


def api_only(text: str) -> str:
    """deploy/examples/cognito-api-only.yaml for Kubernetes: API clients only, no login."""
    title = "Envoy in front of one service for API clients, authz for authorization. For Envoy 1.40."
    return _copy(text, title, "examples/cognito-api-only.yaml", _SETTINGS, _ALIASES)


def tier_client_file(text: str) -> str:
    """The API-only configuration of a service whose checks go to the shared tier."""
    _, _, body = text.partition("\nadmin:\n")
    body, cluster, rest = body.partition("\n  - name: authz\n")
    if not cluster or "\n  - name: " in rest:
        raise OutOfStep("`authz` is not the last cluster. Adapt deploy/copies.py to the template of `authz init`")
    body = _replaced(body, r"^ +retry_host_predicate:$", lambda found: tier_client.RETRY_PRIORITY + found[0])
    return f"{tier_client.ABOUT}\nadmin:\n{body.rstrip()}\n\n{tier_client.CLUSTER}"


def written(with_login: str, without_login: str) -> Mapping[str, str]:
    """The text of every copy by its name in deploy/."""
    overlay = "kubernetes/overlays/login"
    return {
        "kubernetes/base/envoy.yaml": api_only(without_login),
        f"{overlay}/envoy.yaml": login(with_login),
        "shared-tier/client.yaml": tier_client_file(without_login),
    } | {f"{overlay}/pages/{name}": text for name, text in pages.files().items()}


def _copy(text: str, title: str, source: str, settings: str, aliases: Sequence[tuple[str, str]]) -> str:
    _, _, body = text.partition("\nnode:\n")
    text = _ABOUT.format(title=title, source=source) + "node:\n" + body
    for pattern, replacement in aliases:
        text = _replaced(text, pattern, replacement)
    text = _replaced(text, r"^  clusters:$", _METRICS_LISTENER + "  clusters:")
    return settings + text.rstrip("\n") + "\n" + _ADMIN_CLUSTER


def _replaced(text: str, pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> str:
    new, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if count != 1:
        raise OutOfStep(
            f"{pattern!r} matches {count} times, not once. Adapt deploy/copies.py to the template of `authz init`"
        )
    return new
