"""Check that each route has a policy, and that Envoy reads it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from authz.envoy.fields import Fields
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule

_PER_ROUTE = frozenset({"ExtAuthzPerRoute", "FilterConfig"})


@rule("AUTHZ301", Severity.ERROR, "a route has no policy")
def without_policy(envoy: EnvoyConfig) -> Iterator[Found]:
    """Its requests are answered with 500 (`policy_missing`): a good token alone is never enough. Routes with a
    redirect or a direct response are checked too.
    """
    for manager in envoy.managers:
        for route in manager.routes if manager.authz is not None else ():
            if any(each.off_at is None and each.policy is None for each in route.attachments):
                fix = "Give the virtual host `policy: deny`, and each route that is open its own."
                yield Found(route.fields.path, "no policy is named for this route", fix)


@rule("AUTHZ302", Severity.ERROR, "a context extension looks like a misspelt `policy`")
def misspelt_key(envoy: EnvoyConfig) -> Iterator[Found]:
    """The sidecar reads the one key `policy`. Under any other key, such as `authz_policy`, the route keeps the policy
    that it inherits.
    """
    for extensions in _extensions(envoy):
        for key in extensions.value:
            if key != "policy" and _is_meant_for_policy(key, extensions):
                yield Found((*extensions.path, key), f"{key!r:.60} is not read", "Write `policy`.", on_key=True)


def _extensions(envoy: EnvoyConfig) -> Iterator[Fields]:
    """Every `context_extensions` of an override."""
    for manager in envoy.managers:
        for level in manager.levels:
            for view in level.get("typed_per_filter_config").inside():
                if view.path[-1] in {"context_extensions", "contextExtensions"}:
                    yield view


def _is_meant_for_policy(key: str, beside: Fields) -> bool:
    """Whether a key is a misspelt `policy`, or contains the word and there is no `policy`."""
    if get_close_matches(key.lower(), ["policy", "policies"], n=1, cutoff=0.7):
        return True
    return "polic" in key.lower() and "policy" not in beside.value


@rule("AUTHZ303", Severity.ERROR, "an override names no filter of the chain")
def dropped_override(envoy: EnvoyConfig) -> Iterator[Found]:
    """A key of `typed_per_filter_config` must be the `name` of an HTTP filter, letter by letter. Envoy drops any other
    silently, and `envoy --mode validate` says OK.
    """
    for manager in envoy.managers:
        names = {item.name for item in manager.filters}
        for level in manager.levels:
            for key, entry in level.get("typed_per_filter_config").members():
                if key not in names:
                    close = get_close_matches(key, names, n=1, cutoff=0.5)
                    fix = f"Did you mean `{close[0]}`?" if close else "Name a filter of http_filters, or remove it."
                    problem = f"no HTTP filter is called {key!r:.80}: Envoy drops this override"
                    yield Found(entry.path, problem, fix, on_key=True)


@rule("AUTHZ304", Severity.ERROR, "ext_authz is switched off on a route")
def switched_off(envoy: EnvoyConfig) -> Iterator[Found]:
    """Nothing is checked, and forged identity headers reach the upstream. The policy `public` also accepts every
    request, but removes those headers.
    """
    seen = set()
    for manager in envoy.managers:
        for route in manager.routes:
            for each in route.attachments:
                if each.off_at is not None and each.off_at not in seen:
                    seen.add(each.off_at)
                    yield Found(each.off_at, "requests pass unchecked here", "Write the policy `public` instead.")


@rule("AUTHZ305", Severity.ERROR, "ext_authz is switched off, or on for a part of the requests only")
def not_always_on(envoy: EnvoyConfig) -> Iterator[Found]:
    """A `disabled` filter runs only if a route switches it on. `filter_enabled` and `filter_enabled_metadata` select
    requests; all other requests pass unchecked.
    """
    for item in envoy.authz_filters:
        if item.fields.raw("disabled") is True:
            yield Found(
                item.fields.where("disabled"), "ext_authz is off where no route says otherwise", "Remove the line."
            )
        for name in ("filter_enabled", "filter_enabled_metadata"):
            if item.config.raw(name) is not None and not _is_everything(item.config.get(name).get("default_value")):
                problem = f"{name} lets requests pass unchecked"
                yield Found(item.config.where(name), problem, "Remove it.", on_key=True)


def _is_everything(fraction: object) -> bool:
    """Whether a fraction is 100 of HUNDRED, and no runtime key can change it to less is not asked."""
    value = getattr(fraction, "value", {})
    return value.get("numerator") == 100 and value.get("denominator", "HUNDRED") == "HUNDRED"  # noqa: PLR2004 - percent


@rule("AUTHZ306", Severity.WARNING, "requests reach a service through a chain without ext_authz")
def without_filter(envoy: EnvoyConfig) -> Iterator[Found]:
    """Another listener to the same upstreams is a second way in, without a token."""
    for manager in envoy.managers:
        if manager.authz is None and any(not route.answers_itself for route in manager.routes):
            fix = "Add envoy.filters.http.ext_authz, or let this listener do redirects only."
            yield Found(manager.fields.path, "this connection manager has no ext_authz filter", fix)


@rule("AUTHZ307", Severity.INFO, "context extensions say nothing of a policy")
def without_policy_key(envoy: EnvoyConfig) -> Iterator[Found]:
    """The sidecar does not read other keys, so the route keeps its inherited policy. If you meant to set a policy
    here, it is missing.
    """
    for extensions in _extensions(envoy):
        if "policy" not in extensions.value:
            for key in extensions.value:
                if not _is_meant_for_policy(key, extensions):
                    problem = f"the sidecar does not read {key!r:.60}, and no `policy` stands beside it"
                    yield Found(
                        (*extensions.path, key), problem, "Add `policy`, or leave what is inherited.", on_key=True
                    )
