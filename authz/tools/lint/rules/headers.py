"""Path normalisation, and protection of identity headers."""

from __future__ import annotations

from collections.abc import Iterator

from authz.core.forward import FAILURE_MODE_HEADER
from authz.tools.lint.envoy_config import EnvoyConfig, LintManager
from authz.tools.lint.match import may_match
from authz.tools.lint.rule import Found, Severity, rule

_SAFE_SLASHES = frozenset({"REJECT_REQUEST", "UNESCAPE_AND_REDIRECT"})


@rule("AUTHZ601", Severity.WARNING, "one path has several spellings")
def normalisation(envoy: EnvoyConfig) -> Iterator[Found]:
    """By default Envoy matches routes against the path as sent. `//admin`, `/x/../admin`, `/a%2fb` and `/admin;x` can
    match another route than the path that the upstream resolves.
    """
    for manager in _checked(envoy):
        view = manager.fields
        for name in ("normalize_path", "merge_slashes"):
            if view.raw(name) is not True:
                yield Found(view.path, f"{name} is off", f"Write `{name}: true`.")
        if view.text("path_with_escaped_slashes_action") not in _SAFE_SLASHES:
            fix = "Write `path_with_escaped_slashes_action: REJECT_REQUEST`."
            yield Found(view.path, "escaped slashes in a path are kept or silently decoded", fix)
        for table in manager.tables:
            if table.raw("ignore_path_parameters_in_path_matching") is True:
                continue
            fix = "Write `ignore_path_parameters_in_path_matching: true`."
            yield Found(table.path, "parameters in a path (`/admin;x`) keep routes from matching", fix)


@rule("AUTHZ602", Severity.WARNING, "identity headers of the client's own are seen by filters before the check")
def not_stripped_early(envoy: EnvoyConfig) -> Iterator[Found]:
    """The sidecar takes forged identity headers out, but only when it is asked: filters before it, routes that match
    on such a header, and routes that are not checked see them. Early header mutation comes before everything.
    """
    for manager in _checked(envoy):
        left = [name for name in (*_forwarded(envoy), FAILURE_MODE_HEADER) if not _is_removed_early(manager, name)]
        if left:
            fix = "Remove them with early_header_mutation_extensions."
            yield Found(manager.fields.path, f"clients can send {', '.join(left):.200}", fix)


@rule("AUTHZ603", Severity.WARNING, "a header with underscores can pose as another")
def underscores(envoy: EnvoyConfig) -> Iterator[Found]:
    """CGI, WSGI and similar interfaces read `x_auth_subject` and `x-auth-subject` as the same header."""
    for manager in _checked(envoy):
        options = manager.fields.get("common_http_protocol_options")
        if options.text("headers_with_underscores_action") not in {"REJECT_REQUEST", "DROP_HEADER"}:
            fix = "Write `common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }`."
            yield Found(options.path if options else manager.fields.path, "headers with underscores pass", fix)


@rule("AUTHZ604", Severity.ERROR, "a route undoes the identity headers")
def undone(envoy: EnvoyConfig) -> Iterator[Found]:
    """Routes and virtual hosts add and remove headers after the check. If they name an identity header, the value
    from the sidecar is lost.
    """
    names = frozenset(_forwarded(envoy))
    for manager in _checked(envoy):
        for level in manager.levels:
            removed = level.raw("request_headers_to_remove")
            for index, name in enumerate(removed if isinstance(removed, list) else ()):
                if str(name).lower() in names:
                    path = (*level.where("request_headers_to_remove"), index)
                    yield Found(path, f"this removes {name:.60} after the check", "Remove it early, not on the route.")
            for added in level.each("request_headers_to_add"):
                if added.get("header").text("key").lower() in names:
                    problem = f"this writes {added.get('header').text('key'):.60} after the check"
                    yield Found(added.path, problem, "Leave the header to the sidecar.")


def _checked(envoy: EnvoyConfig) -> Iterator[LintManager]:
    return (manager for manager in envoy.managers if manager.authz is not None)


def _forwarded(envoy: EnvoyConfig) -> tuple[str, ...]:
    configuration = envoy.configuration
    return tuple(name for name, _source in configuration.forward.sources) if configuration is not None else ()


def _is_removed_early(manager: LintManager, name: str) -> bool:
    for extension in manager.fields.each("early_header_mutation_extensions"):
        for mutation in extension.get("typed_config").each("mutations"):
            if mutation.text("remove").lower() == name or may_match(
                mutation.get("remove_on_match", "key_matcher"), name
            ):
                return True
    return False
