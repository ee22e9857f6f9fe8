"""Writes what deploy/ has from elsewhere, or with --check says what is out of date.

Two copies of deploy/envoy.yaml for Kubernetes, and in the Helm chart's schema the one of `node.metadata.authz`.

kustomize reads no file above a kustomization's own directory, so each needs a copy. A copy differs from
deploy/envoy.yaml in three things: its deployment-specific values are aliases of one block at its top, which kustomize
and Helm fill in; Envoy's statistics have a listener for Prometheus; and the API-only copy has no login. Comments are
kept.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from authz.schema.authz_section import authz_section
from deploy import tier_client

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "deploy" / "envoy.yaml"

Step = str | int | dict[str, str]
"""A key, an index, or the members by which an item of a sequence is found (a dot leads into a nested mapping)."""

_MANAGER = ("static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config")
_HOST = (*_MANAGER, "route_config", "virtual_hosts", 0)
_HEALTH = (*_HOST, "routes", {"match.path": "/healthz"}, "typed_per_filter_config")
_EARLY = (*_MANAGER, "early_header_mutation_extensions", 0, "typed_config", "mutations")

_LOGIN: tuple[tuple[Step, ...], ...] = (
    ("layered_runtime",),
    (*_EARLY, {"remove": "x-envoy-oauth-status"}),
    (*_EARLY, {"remove": "x-envoy-oauth-failure-reason"}),
    (*_MANAGER, "http_filters", {"name": "envoy.filters.http.header_mutation"}),
    (*_MANAGER, "http_filters", {"name": "envoy.filters.http.oauth2"}),
    (*_HOST, "request_headers_to_remove"),
    (*_HEALTH, "envoy.filters.http.oauth2"),
    (*_HOST, "routes", {"match.path": "/oauth2/signout"}),
    (*_HOST, "routes", {"match.path": "/"}),
    ("static_resources", "clusters", {"name": "cognito"}),
)
"""What only a login needs."""

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
# Generated from deploy/envoy.yaml by `make manifests`; tests keep the two equal. Copy this file beside your own
# kustomization and change the lines marked CHANGE. `authz lint` finds what `envoy --mode validate` cannot.

"""

_ALIASES = (
    (r"^  id: orders-api\b.*$", "  id: *name"),
    (
        r"^  cluster: orders-api\b.*$",
        "  cluster: *name                                              # the realm of challenges",
    ),
    (r"^( +domains: )\[orders\.example\.com\].*$", r"\1[*host]"),
    (r"(address: 127\.0\.0\.1, port_value: )8080( \}.*?)(?: +# CHANGE.*)?$", r"\1*port\2"),
)
_LOGIN_ALIASES = (
    (r"^( +allowed_redirect_domains: )\[orders\.example\.com\].*$", r"\1[*host]"),
    (
        r"^( +redirect_uri: )https://orders\.example\.com/oauth2/callback.*$",
        r"\1*callback   # a callback URL in Cognito",
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
          # authz-lint: allow AUTHZ306 because statistics are all that can be read here
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
    """deploy/envoy.yaml no longer has a part that is replaced or left out here."""


def login(text: str) -> str:
    """The whole configuration, with Cognito's hosted login."""
    title = "Envoy in front of one service: login through Amazon Cognito, authz as the gate. Written for Envoy 1.40."
    return _copy(text, title, _SETTINGS + _CALLBACK, (*_ALIASES, *_LOGIN_ALIASES))


def api_only(text: str) -> str:
    """The configuration for programs that send a bearer token: no login, no sessions, no client secret."""
    title = "Envoy in front of one service for API clients, authz as the gate. Written for Envoy 1.40."
    return _copy(_without_login(text), title, _SETTINGS, _ALIASES)


def _without_login(text: str) -> str:
    for path in _LOGIN:
        text = without(text, path)
    text = _replaced(text, r" The path of each stands in allow_failed_matcher as well\.", "")
    return _replaced(text, r"no login, no token, and authz still", "no token, and authz still")


def client(text: str) -> str:
    """The API-only configuration of a service whose checks go to the shared tier."""
    text = _without_login(text)
    text = without(text, ("static_resources", "clusters", {"name": "authz"}))
    text = _replaced(text, r"^ +retry_host_predicate:$", lambda found: tier_client.RETRY_PRIORITY + found[0])
    _, _, body = text.partition("\nadmin:\n")
    return f"{tier_client.ABOUT}\nadmin:\n{body.rstrip()}\n\n{tier_client.CLUSTER}"


COPIES: dict[str, Callable[[str], str]] = {
    "deploy/kubernetes/base/envoy.yaml": api_only,
    "deploy/kubernetes/overlays/login/envoy.yaml": login,
    "deploy/shared-tier/client.yaml": client,
}


CHART = ROOT / "deploy" / "helm" / "envoy-jwt-authz"


def values_schema(text: str) -> str:
    """The schema of the chart's values with authz's own below tier.authz, so that Helm refuses wrong issuers too."""
    schema = json.loads(text)
    section = json.loads(json.dumps(authz_section()))
    place = schema["properties"]["tier"]["properties"]
    kept = place["authz"]["description"]
    place["authz"] = section | {"description": kept}
    return json.dumps(schema, indent=2) + "\n"


def written() -> dict[Path, str]:
    """Every generated file and its text."""
    source, schema = SOURCE.read_text(encoding="utf-8"), CHART / "values.schema.json"
    copies = {ROOT / name: write(source) for name, write in COPIES.items()}
    return copies | {schema: values_schema(schema.read_text(encoding="utf-8"))}


def without(text: str, path: Sequence[Step]) -> str:
    """The text without the lines of one key or item, and without the comment above it."""
    first, last = _lines_of(text, path)
    lines = text.splitlines(keepends=True)
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    kept = lines[:first] + lines[last:]
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def _lines_of(text: str, path: Sequence[Step]) -> tuple[int, int]:
    """The first line of a key or item, and the line after its last."""
    node: yaml.Node = yaml.compose(text, Loader=yaml.SafeLoader) or yaml.ScalarNode("", "")
    begin = node
    for step in path:
        begin, node = _child(node, step, path)
    return begin.start_mark.line, _end(node)


def _end(node: yaml.Node) -> int:
    """The line after a node. A block collection's own end mark is on the token that follows it, comments included."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line) + 1


def _child(node: yaml.Node, step: Step, path: Sequence[Step]) -> tuple[yaml.Node, yaml.Node]:
    """Where the child begins (its key, if it has one) and the child."""
    if isinstance(node, yaml.MappingNode) and isinstance(step, str):
        for key, value in node.value:
            if key.value == step:
                return key, value
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if index == step or (isinstance(step, dict) and all(_member(item, k) == v for k, v in step.items())):
                return item, item
    raise OutOfStep(f"{SOURCE}: {step} of {path} is not there. Adapt deploy/generate.py to the new configuration")


def _member(node: yaml.Node, name: str) -> object:
    """A scalar below a mapping by its dotted name; None if there is none."""
    for word in name.split("."):
        members = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        if word not in members:
            return None
        node = members[word]
    return node.value


def _copy(text: str, title: str, settings: str, aliases: Sequence[tuple[str, str]]) -> str:
    _, _, body = text.partition("\nnode:\n")
    text = _ABOUT.format(title=title) + "node:\n" + body
    for pattern, replacement in aliases:
        text = _replaced(text, pattern, replacement)
    text = _replaced(text, r"^  clusters:$", _METRICS_LISTENER + "  clusters:")
    return settings + text.rstrip("\n") + "\n" + _ADMIN_CLUSTER


def _replaced(text: str, pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> str:
    new, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if count != 1:
        raise OutOfStep(f"{SOURCE}: {pattern!r} matches {count} times, not once. Adapt deploy/generate.py to it")
    return new


def main() -> int:
    """Write, or check. Returns 1 if a checked file is out of date."""
    parser = argparse.ArgumentParser(description="Write the generated files of deploy/.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is out of date")
    check = parser.parse_args().check
    stale = []
    for path, text in written().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'out of date, run `make manifests`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
