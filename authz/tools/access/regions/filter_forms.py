"""The HTTP filters of a connection manager, without what cannot let a request in, and how two lists of them differ.

What this file does not know matters: another filter, or another field, is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from authz.envoy.fields import field_name
from authz.envoy.http_filters import EXT_AUTHZ, HttpFilter

_WITHOUT_EFFECT = frozenset(
    {"AdaptiveConcurrency", "AdmissionControl", "BandwidthLimit", "Compressor", "Cors", "Router"}
)
"""Filters that neither let in, nor change what is checked. The load limits refuse without regard to the request. Cors
answers preflights itself. The router and the filters inside of it come after the check."""

_FIELDS_WITHOUT_EFFECT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        EXT_AUTHZ: frozenset(
            {
                "charge_cluster_response_stats",
                "emit_filter_state_stats",
                "max_denied_response_body_bytes",
                "stat_prefix",
                "status_on_error",
            }
        ),
        "HeaderMutation": frozenset({"mutations.response_mutations", "mutations.response_trailers_mutations"}),
        "JwtAuthentication": frozenset({"stat_prefix"}),
        "RBAC": frozenset(
            {"rules_stat_prefix", "shadow_matcher", "shadow_rules", "shadow_rules_stat_prefix", "track_per_rule_stats"}
        ),
    }
)
"""Fields for statistics, for answers to the client, and for rules that are only counted."""

_CALL_FIELDS = frozenset({"grpc_service.timeout", "grpc_service.retry_policy"})
"""They decide how often a check fails. A check that fails lets a request in with `failure_mode_allow` only."""

_ONLY_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"LocalRateLimit": frozenset({"request_headers_to_add_when_not_enforced"})}
)
"""The fields that count of filters whose other fields do not."""

_FLAGS = frozenset(
    {
        "clear_route_cache",
        "disabled",
        "encode_raw_headers",
        "failure_mode_allow",
        "failure_mode_allow_header_add",
        "include_peer_certificate",
        "include_tls_session",
        "is_optional",
        "validate_mutations",
    }
)
"""Fields that mean the same if they are false or missing."""


def filter_forms(filters: Iterable[HttpFilter]) -> tuple[str, ...]:
    """Each filter that matters as JSON, in order."""
    return tuple(json.dumps(form, sort_keys=True, default=str) for form in map(_form, filters) if form is not None)


def _form(item: HttpFilter) -> dict[str, Any] | None:
    """What matters of a filter. None if nothing does."""
    entry = _named(item.fields.value)
    kind = item.kind
    if item.discovery or not kind:
        return entry
    if kind in _WITHOUT_EFFECT:
        return None
    config = _named(item.config.value)
    left_out = _FIELDS_WITHOUT_EFFECT.get(kind, frozenset())
    if kind == EXT_AUTHZ and config.get("failure_mode_allow") is not True:
        left_out |= _CALL_FIELDS
    for path in left_out:
        _remove(config, path.split("."))
    only = _ONLY_FIELDS.get(kind)
    if only is not None:
        config = {key: value for key, value in config.items() if key in only or key == "@type"}
    if (only is not None or kind == "HeaderMutation") and config.keys() <= {"@type"}:
        return None
    return {**entry, "typed_config": config}


def _named(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by their names in the .proto file, without flags that are off."""
    named = {key if key == "@type" else field_name(key): each for key, each in value.items()}
    return {key: each for key, each in named.items() if not (key in _FLAGS and each is False)}


def _remove(value: dict[str, Any], path: list[str]) -> None:
    """Remove a field, and the mappings around it that are empty then. The value itself is a copy."""
    name, *below = path
    inner = value.get(name)
    if not below:
        value.pop(name, None)
    elif isinstance(inner, dict):
        value[name] = _named(inner)
        _remove(value[name], below)
        if not value[name]:
            del value[name]


def filter_difference(old: tuple[str, ...], new: tuple[str, ...]) -> str | None:
    """Say how the filters differ. None if they do not."""
    if old == new:
        return None
    before, after = [json.loads(each) for each in old], [json.loads(each) for each in new]
    return f"the HTTP filters differ: {_first_difference(before, after)}"


def _first_difference(before: list[Any], after: list[Any]) -> str:
    names, others = [each.get("name") for each in before], [each.get("name") for each in after]
    for name in (*names, *others):
        if names.count(name) != others.count(name):
            side = "OLD" if names.count(name) > others.count(name) else "NEW"
            return f"only {side} has {_shown(name)}" if not (name in names and name in others) else _shown(name)
    if names != others:
        return "their order"
    one, other = next(pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])
    path = ".".join(_path_of_difference(one, other)).removeprefix("typed_config.")
    return f"{path} of {_shown(one.get('name'))}"


def _shown(name: object) -> str:
    return f"{name!s:.60}" if name else "a filter without a name"


def _path_of_difference(one: Any, other: Any) -> Iterator[str]:
    """The fields that lead to the first difference."""
    if isinstance(one, dict) and isinstance(other, dict):
        key = next(key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key))
        yield key
        yield from _path_of_difference(one.get(key), other.get(key))
