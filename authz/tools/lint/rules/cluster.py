"""The cluster of sidecar workers that ext_authz asks."""

from __future__ import annotations

from collections.abc import Iterator

from authz.envoy.fields import Fields
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule

_MANY = 1024
"""Envoy's default for pending and active requests."""

_FEW_RETRIES = 3
"""Envoy's default for concurrent retries."""


@rule("AUTHZ801", Severity.ERROR, "the sidecar is not spoken to in HTTP/2")
def not_http2(envoy: EnvoyConfig) -> Iterator[Found]:
    """Envoy refuses to start. gRPC needs HTTP/2, and a cluster uses HTTP/1.1 by default."""
    for cluster in envoy.authz_clusters:
        if not cluster.speaks_http2:
            fix = "Write explicit_http_config: { http2_protocol_options: {} } in HttpProtocolOptions."
            yield Found(cluster.fields.path, "the cluster does not speak HTTP/2", fix)


@rule("AUTHZ802", Severity.WARNING, "a worker that went away is asked all the same")
def no_health_checks(envoy: EnvoyConfig) -> Iterator[Found]:
    """Every worker answers gRPC health checks on its own socket, and reports NOT_SERVING before it stops."""
    for cluster in envoy.authz_clusters:
        if not any(True for _ in cluster.fields.each("health_checks")):
            fix = "Add health_checks with grpc_health_check: {}."
            yield Found(cluster.fields.path, "the cluster has no health checks", fix)


@rule("AUTHZ803", Severity.WARNING, "health checks are a minute apart until there is traffic")
def slow_first_checks(envoy: EnvoyConfig) -> Iterator[Found]:
    """`no_traffic_interval` is a minute by default. If Envoy starts first, a worker fails the first check and gets no
    requests for a minute.
    """
    for cluster in envoy.authz_clusters:
        for check in cluster.fields.each("health_checks"):
            if check.raw("no_traffic_interval") is None:
                fix = "Write `no_traffic_interval: 1s`."
                yield Found(check.path, "no_traffic_interval is a minute", fix)


@rule("AUTHZ804", Severity.WARNING, "keepalive pings end the connection")
def keepalive(envoy: EnvoyConfig) -> Iterator[Found]:
    """Servers of gRPC answer frequent HTTP/2 pings with GOAWAY (`too_many_pings`). The sidecar is on the same machine:
    a socket that is gone is noticed without pings.
    """
    for cluster in envoy.authz_clusters:
        for options in cluster.http2_options:
            if options.raw("connection_keepalive") is not None:
                problem = "keepalive pings make the sidecar close the connection"
                yield Found(options.where("connection_keepalive"), problem, "Remove it.", on_key=True)


@rule("AUTHZ805", Severity.WARNING, "Envoy's own limits turn checks into errors")
def circuit_breakers(envoy: EnvoyConfig) -> Iterator[Found]:
    """A cluster allows 1024 requests and 3 retries by default. If a limit is exceeded, the check fails and the
    request is refused. When a worker stops, three retries are not enough.
    """
    for cluster in envoy.authz_clusters:
        thresholds = next(
            iter(cluster.fields.get("circuit_breakers").each("thresholds")), Fields({}, cluster.fields.path)
        )
        few = [
            name
            for name, default in (
                ("max_requests", _MANY),
                ("max_pending_requests", _MANY),
                ("max_retries", _FEW_RETRIES),
            )
            if (_number(thresholds.raw(name)) or default) <= default
        ]
        if few:
            fix = "Write max_requests: 4096, max_pending_requests: 4096 and max_retries: 256 under circuit_breakers."
            yield Found(thresholds.path, f"{', '.join(few)} {'are' if len(few) > 1 else 'is'} at the default", fix)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
