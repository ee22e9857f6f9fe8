"""The ext_authz filter: failure mode, the headers it sends, and retries."""

from __future__ import annotations

from collections.abc import Iterator

from authz.envoy.fields import Fields
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.match import may_match
from authz.tools.lint.rule import Found, Severity, rule

DEFAULT_TIMEOUT_SECONDS = 0.2
"""Envoy's default timeout of a check, if `grpc_service.timeout` is not set."""


@rule("AUTHZ501", Severity.ERROR, "requests pass when the sidecar does not answer")
def failure_mode_allow(envoy: EnvoyConfig) -> Iterator[Found]:
    """With `failure_mode_allow`, requests pass without a token if the sidecar is slow or unreachable."""
    for item in envoy.authz_filters:
        if item.config.raw("failure_mode_allow") is True:
            problem = "a sidecar that does not answer lets everybody in"
            yield Found(item.config.where("failure_mode_allow"), problem, "Write `failure_mode_allow: false`.")


@rule("AUTHZ502", Severity.ERROR, "a request can change its route after the check")
def clear_route_cache(envoy: EnvoyConfig) -> Iterator[Found]:
    """With `clear_route_cache` Envoy looks for the route again after the check, with the headers that the sidecar set.
    The request can end up on a route whose policy was never asked.
    """
    for item in envoy.authz_filters:
        if item.config.raw("clear_route_cache") is True:
            problem = "the route that is served need not be the route that was checked"
            yield Found(item.config.where("clear_route_cache"), problem, "Write `clear_route_cache: false`.")


@rule("AUTHZ503", Severity.WARNING, "bodies are sent to the sidecar")
def with_request_body(envoy: EnvoyConfig) -> Iterator[Found]:
    """The sidecar never looks at a body. Envoy holds each back until it is complete, copies it, and refuses larger
    ones with 413.
    """
    for item in envoy.authz_filters:
        if item.config.raw("with_request_body") is not None:
            yield Found(item.config.where("with_request_body"), "the sidecar reads no body", "Remove it.", on_key=True)


@rule("AUTHZ504", Severity.WARNING, "every header is sent to the sidecar")
def all_headers(envoy: EnvoyConfig) -> Iterator[Found]:
    """Without `allowed_headers` the sidecar gets everything, cookies with their decrypted tokens included. It needs
    five headers, and every message is more than twice as large.
    """
    for item in envoy.authz_filters:
        if item.config.raw("allowed_headers") is None:
            fix = "Write allowed_headers with authorization, content-type, x-request-id, traceparent and tracestate."
            yield Found(item.config.path, "cookies and all other headers are sent to the sidecar", fix)


@rule("AUTHZ505", Severity.ERROR, "the sidecar gets no token")
def no_authorization(envoy: EnvoyConfig) -> Iterator[Found]:
    """Headers that `allowed_headers` does not name, and those in `disallowed_headers`, are not sent. Without
    `authorization` every request looks as if it had no token.
    """
    for item in envoy.authz_filters:
        allowed, refused = item.config.get("allowed_headers"), item.config.get("disallowed_headers")
        if allowed and not _names(allowed, "authorization"):
            fix = "Add `- exact: authorization`."
            yield Found(item.config.where("allowed_headers"), "allowed_headers leaves authorization out", fix)
        if _names(refused, "authorization"):
            fix = "Remove authorization from it."
            yield Found(item.config.where("disallowed_headers"), "disallowed_headers holds authorization back", fix)


def _names(patterns: Fields, header: str) -> bool:
    """Whether one of a list of string matchers may match a header."""
    return any(may_match(pattern, header) for pattern in patterns.each("patterns"))


@rule("AUTHZ506", Severity.WARNING, "a check is not asked again where a worker went away")
def no_retries(envoy: EnvoyConfig) -> Iterator[Found]:
    """While a worker restarts, every check that was on its way to it fails, and with it the request. Envoy asks
    another worker if `grpc_service.retry_policy` says so. `envoy_grpc.retry_policy` is accepted and does nothing.
    """
    for item in envoy.authz_filters:
        service = item.config.get("grpc_service")
        useless = service.get("envoy_grpc")
        if useless.raw("retry_policy") is not None:
            fix = "Move it up into grpc_service."
            yield Found(useless.where("retry_policy"), "a retry policy in envoy_grpc does nothing", fix, on_key=True)
        elif service and service.raw("retry_policy") is None:
            fix = "Add grpc_service.retry_policy with retry_on, num_retries and the previous_hosts predicate."
            yield Found(service.path, "a failed check is not tried again", fix)


@rule("AUTHZ507", Severity.WARNING, "a retry has no time left")
def no_time_for_retries(envoy: EnvoyConfig) -> Iterator[Found]:
    """`max_interval` of the back-off also limits each try. If it is as long as the whole check (`grpc_service.timeout`,
    200 ms by default), a worker that hangs uses the whole time.
    """
    for item in envoy.authz_filters:
        service = item.config.get("grpc_service")
        backoff = service.get("retry_policy", "retry_back_off")
        longest, timeout = backoff.seconds("max_interval"), service.seconds("timeout") or DEFAULT_TIMEOUT_SECONDS
        if longest is not None and longest >= timeout:
            problem = f"one try may take {longest:g} s of the {timeout:g} s that the check has"
            yield Found(backoff.where("max_interval"), problem, "Make it shorter than grpc_service.timeout.")
