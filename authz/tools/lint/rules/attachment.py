"""Check that each route has a policy, and that Envoy reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from authz.core.problems import Path
from authz.envoy.attachments import Attachment
from authz.envoy.fields import Fields
from authz.envoy.http_filters import is_everything
from authz.tools.lint.envoy_config import EnvoyConfig, LintManager
from authz.tools.lint.rule import Found, Severity, rule
from authz.tools.lint.ways_in import Opening, Way


@rule("AUTHZ301", Severity.ERROR, "a route has no policy")
def without_policy(envoy: EnvoyConfig) -> Iterator[Found]:
    """Its requests are answered with 500 (`policy_missing`): a good token alone is never enough. Routes with a
    redirect or a direct response are checked too.
    """
    for manager in envoy.managers:
        for route in manager.routes if manager.authz is not None else ():
            if any(_is_refused(each, is_disabled=_is_disabled(manager)) for each in route.attachments):
                fix = "Give the virtual host `policy: deny`, and each route that is open its own."
                yield Found(route.fields.path, "no policy is named for this route", fix)


def _is_disabled(manager: LintManager) -> bool:
    return all(each.is_disabled for each in manager.own)


def _is_refused(attachment: Attachment, *, is_disabled: bool) -> bool:
    """Whether the filter asks for a route without a policy."""
    runs = attachment.off_at is None and not (is_disabled and attachment.set_at is None)
    return runs and attachment.policy is None


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
        names = {item.name for item in manager.every_filter}
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
    for opening, way in _openings("AUTHZ304", envoy.ways.all):
        yield Found(opening.path, f"requests pass unchecked here: {way}", "Write the policy `public` instead.")


@rule("AUTHZ305", Severity.ERROR, "ext_authz checks a part of the requests only")
def not_always_on(envoy: EnvoyConfig) -> Iterator[Found]:
    """`filter_enabled`, `filter_enabled_metadata`, `shadow_mode`, and a matcher around the filter
    (`ExtensionWithMatcher`, composite) let some requests pass unchecked.
    """
    for opening, way in _openings("AUTHZ305", envoy.ways.all):
        problem = f"{_last_name(opening)} lets requests pass unchecked: {way}"
        yield Found(opening.path, problem, "Remove it.", on_key=True)


def _last_name(opening: Opening) -> str:
    return next((each for each in reversed(opening.path) if isinstance(each, str)), "this")


@rule("AUTHZ306", Severity.ERROR, "a way to a protected cluster goes around the check")
def around_the_check(envoy: EnvoyConfig) -> Iterator[Found]:
    """Another route to the same upstream passes ext_authz, so the upstream relies on it. The message prints the way
    that does not: listener, filter chain, filter, route, cluster. It can be another listener, an upgrade with filters
    of its own, a mirror, `tcp_proxy`, or a route that does not switch on a disabled filter.
    """
    fix = "Add ext_authz with a policy to this way, or lead it elsewhere."
    for opening, way in _openings("AUTHZ306", envoy.ways.around):
        yield Found(opening.path, f"{opening.reason}: {way}", fix)


@rule("AUTHZ308", Severity.WARNING, "a route does not switch on the check")
def not_switched_on(envoy: EnvoyConfig) -> Iterator[Found]:
    """The ext_authz filter is `disabled`, and runs only on routes that have an entry for it. Envoy Gateway writes this
    form. Requests to other routes reach their upstream unchecked, here one that no checked route leads to.
    """
    fix = "Give the route a policy, or `public` if everybody may use it."
    for opening, way in _openings("AUTHZ306", envoy.ways.unprotected):
        if opening.is_unset:
            yield Found(opening.path, f"{opening.reason}: {way}", fix)


@rule("AUTHZ309", Severity.ERROR, "ext_authz may not change the identity headers")
def powerless(envoy: EnvoyConfig) -> Iterator[Found]:
    """`decoder_header_mutation_rules` limits the headers that the sidecar can set and remove. If an identity header is
    not allowed, the copy that the client sent reaches the upstream.
    """
    configuration = envoy.configuration
    forwarded = configuration.forward.sources if configuration is not None else ()
    names = tuple(name for name, _source in forwarded) or ("x-auth-subject",)
    for item in envoy.authz_filters:
        rules = item.config.get("decoder_header_mutation_rules")
        kept = [name for name in names if rules and not _may_change(rules, name)]
        if kept:
            problem = f"Envoy ignores the sidecar's changes of {', '.join(kept):.200}"
            yield Found(rules.path, problem, "Remove it, or allow these headers with allow_expression.", on_key=True)


def _may_change(rules: Fields, header: str) -> bool:
    """Whether ext_authz may set and remove a header. Envoy asks the expressions first."""
    if rules.get("disallow_expression") and _matches(rules.get("disallow_expression"), header, unknown=True):
        return False
    if rules.get("allow_expression") and _matches(rules.get("allow_expression"), header, unknown=False):
        return True
    is_forbidden = is_everything(rules.raw("disallow_all")) or rules.get("disallow_all").raw("value") is True
    return not is_forbidden and (not header.startswith("x-envoy-") or is_everything(rules.raw("allow_envoy")))


def _matches(expression: Fields, header: str, *, unknown: bool) -> bool:
    try:
        return re.fullmatch(expression.text("regex"), header) is not None
    except re.error:
        return unknown


def _openings(code: str, ways: tuple[Way, ...]) -> Iterator[tuple[Opening, Way]]:
    """Each opening with the first way that uses it."""
    first: dict[Path, tuple[Opening, Way]] = {}
    for way in ways:
        if way.opening is not None and way.opening.code == code:
            first.setdefault(way.opening.path, (way.opening, way))
    yield from first.values()


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
