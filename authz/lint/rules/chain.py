"""The order of HTTP filters around ext_authz."""

from __future__ import annotations

from collections.abc import Iterator

from authz.lint.rule import Found, Severity, rule
from authz.lint.subject import Subject

_CHANGES_REQUESTS = {
    "HeaderMutation": "headers",
    "Lua": "headers, the path and the route",
    "Wasm": "headers, the path and the route",
    "Config": "headers, the path and the route",
    "ExternalProcessor": "headers, the path and the route",
    "DynamicModuleFilter": "headers, the path and the route",
    "JsonToMetadata": "the route",
    "HeaderToMetadata": "headers and the route",
    "JwtAuthentication": "headers and the route",
    "SetFilterState": "the route",
    "GrpcJsonTranscoder": "the path and the method",
    "FilterConfig": "headers",
    "ApiKeyAuth": "headers",
    "CredentialInjector": "headers",
    "BasicAuth": "headers",
    "Decompressor": "headers",
}
"""Filters that can change what was checked, and what of it; `Config` is the Golang filter's message."""


@rule("AUTHZ511", Severity.ERROR, "the login comes after the check")
def login_after_check(subject: Subject) -> Iterator[Found]:
    """The OAuth2 filter turns the session cookie into `Authorization: Bearer`. Behind ext_authz that is too late: the
    check sees no token, and nobody checks the one that is added.
    """
    for manager in subject.managers:
        kinds = [item.kind for item in manager.filters]
        if "ExtAuthz" in kinds:
            for item in manager.filters[kinds.index("ExtAuthz") :]:
                if item.kind == "OAuth2":
                    yield Found(item.view.path, "this login runs after the check", "Put it before ext_authz.")


@rule("AUTHZ512", Severity.WARNING, "a filter behind the check can change what was checked")
def filter_after_check(subject: Subject) -> Iterator[Found]:
    """What the sidecar checked must be what the service gets. A filter between ext_authz and the router that changes
    headers can undo the identity headers; one that changes the path or the route can undo the decision.
    """
    for manager in subject.managers:
        kinds = [item.kind for item in manager.filters]
        for item in manager.filters[kinds.index("ExtAuthz") + 1 :] if "ExtAuthz" in kinds else ():
            what = _CHANGES_REQUESTS.get(item.kind)
            if what is not None:
                problem = f"{item.name or item.kind:.80} can change {what} after the check"
                yield Found(item.view.path, problem, "Put it before ext_authz.")
