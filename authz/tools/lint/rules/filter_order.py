"""The order of HTTP filters around ext_authz."""

from __future__ import annotations

from collections.abc import Iterator

from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule

_EVERYTHING = "headers, the path and the route"
CHANGES = {
    "api_key_auth.v3.ApiKeyAuth": "headers",
    "basic_auth.v3.BasicAuth": "headers",
    "credential_injector.v3.CredentialInjector": "headers",
    "composite.v3.Composite": _EVERYTHING,
    "dynamic_modules.v3.DynamicModuleFilter": _EVERYTHING,
    "ext_proc.v3.ExternalProcessor": _EVERYTHING,
    "golang.v3alpha.Config": _EVERYTHING,
    "grpc_json_transcoder.v3.GrpcJsonTranscoder": "the path and the method",
    "header_mutation.v3.HeaderMutation": "headers",
    "header_to_metadata.v3.Config": "headers and the route",
    "json_to_metadata.v3.JsonToMetadata": "the route",
    "jwt_authn.v3.JwtAuthentication": "headers and the route",
    "lua.v3.Lua": _EVERYTHING,
    "set_filter_state.v3.Config": "the route",
    "wasm.v3.Wasm": _EVERYTHING,
}
"""Filters that can change a checked request, and the parts that they can change."""


@rule("AUTHZ511", Severity.ERROR, "the login comes after the check")
def login_after_check(envoy: EnvoyConfig) -> Iterator[Found]:
    """The OAuth2 filter turns the session cookie into `Authorization: Bearer`. After ext_authz that is too late: the
    check sees no token, and the added token is never checked.
    """
    for manager in envoy.managers:
        kinds = [item.kind for item in manager.filters]
        if "ExtAuthz" in kinds:
            for item in manager.filters[kinds.index("ExtAuthz") :]:
                if item.kind == "OAuth2":
                    yield Found(item.fields.path, "this login runs after the check", "Put it before ext_authz.")


@rule("AUTHZ512", Severity.WARNING, "a filter behind the check can change what was checked")
def filter_after_check(envoy: EnvoyConfig) -> Iterator[Found]:
    """The upstream must receive the request that the sidecar checked. If a filter after ext_authz changes headers, it
    can replace the identity headers. If it changes the path or the route, the decision no longer applies.
    """
    for manager in envoy.managers:
        kinds = [item.kind for item in manager.filters]
        for item in manager.filters[kinds.index("ExtAuthz") + 1 :] if "ExtAuthz" in kinds else ():
            what = CHANGES.get(item.config.text("@type").partition(".filters.http.")[2])
            if what is not None:
                problem = f"{item.name or item.kind:.80} can change {what} after the check"
                yield Found(item.fields.path, problem, "Put it before ext_authz.")
