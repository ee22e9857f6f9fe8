"""The requests a route matches, as far as its text shows. Enough to decide if one route covers another."""

from __future__ import annotations

import json
from functools import cached_property

from authz.envoy.fields import Fields

_CONDITIONS = (
    "headers",
    "query_parameters",
    "cookies",
    "runtime_fraction",
    "grpc",
    "tls_context",
    "dynamic_metadata",
    "filter_state",
)
_EVERYTHING = frozenset({".*", "/.*"})


class Match:
    """A `match` of a route. Each part is read once: with many routes, every pair of them is compared."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields

    @cached_property
    def path(self) -> tuple[str, str]:
        """How the path is matched and with what: `prefix`, `path_separated_prefix`, `path`, or another word."""
        for kind in ("prefix", "path_separated_prefix", "path"):
            text = self.fields.text(kind)
            if text:
                return kind, text
        regex = self.fields.get("safe_regex").text("regex")
        if regex:
            return ("prefix", "/") if regex in _EVERYTHING else ("regex", regex)
        other = self.fields.get("path_match_policy") or self.fields.get("connect_matcher")
        return "other", json.dumps(other.value, sort_keys=True, default=str)

    @cached_property
    def is_case_sensitive(self) -> bool:
        """Whether `/Orders` is another path than `/orders`."""
        return self.fields.raw("case_sensitive") is not False

    @cached_property
    def conditions(self) -> frozenset[str]:
        """Everything besides the path that must hold, one text each."""
        found = set()
        for name in _CONDITIONS:
            value = self.fields.raw(name)
            for each in value if isinstance(value, list) else [] if value is None else [value]:
                found.add(json.dumps([name, each], sort_keys=True, default=str))
        return frozenset(found)

    @cached_property
    def methods(self) -> frozenset[str]:
        """The methods it is limited to by exact values. Empty if it matches all methods, or if that is unknown."""
        for header in self.fields.each("headers"):
            exact = header.get("string_match").text("exact") or header.text("exact_match")
            if header.text("name") == ":method" and exact and not header.raw("invert_match"):
                return frozenset({exact})
        return frozenset()

    @cached_property
    def is_everything(self) -> bool:
        """Whether every request matches."""
        return self.path == ("prefix", "/") and not self.conditions

    def covers_path_of(self, other: Match) -> bool:
        """Whether every path that the other matches is matched here."""
        (kind, text), (other_kind, other_text) = self.path, other.path
        if (kind, text) == ("prefix", "/"):
            return other_kind != "other"
        if not self.is_case_sensitive:
            text, other_text = text.lower(), other_text.lower()
        elif not other.is_case_sensitive:
            return False
        if other_kind not in {"prefix", "path_separated_prefix", "path"} or kind not in {
            "prefix",
            "path_separated_prefix",
        }:
            return (kind, text) == (other_kind, other_text)
        if kind == "prefix":
            return other_text.startswith(text)
        return other_text.startswith(f"{text}/") or (other_kind != "prefix" and other_text == text)

    def covers(self, other: Match) -> bool:
        """Whether every request that the other matches is matched here."""
        return self.covers_path_of(other) and self.conditions <= other.conditions


def may_match(matcher: Fields, name: str) -> bool:
    """Whether a string matcher may match a lower-case name; a regular expression counts as a match."""
    exact, prefix, suffix, inside = (matcher.text(kind).lower() for kind in ("exact", "prefix", "suffix", "contains"))
    return bool(
        exact == name
        or (prefix and name.startswith(prefix))
        or (suffix and name.endswith(suffix))
        or (inside and inside in name)
        or matcher.get("safe_regex")
    )
