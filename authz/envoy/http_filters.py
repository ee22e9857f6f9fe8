"""HTTP filters of a connection manager, including wrapped and discovered filters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from authz.envoy.fields import Fields

EXT_AUTHZ = "ExtAuthz"
OAUTH2 = "OAuth2"
_MATCHERS = ("xds_matcher", "matcher")
_PERCENT = {"HUNDRED": 100, 0: 100, "TEN_THOUSAND": 10_000, 1: 10_000, "MILLION": 1_000_000, 2: 1_000_000}


class HttpFilter:
    """One HTTP filter: an entry of `http_filters`, or a filter inside of such an entry."""

    def __init__(
        self,
        fields: Fields,
        outer: HttpFilter | None = None,
        condition: Fields | None = None,
        config: Fields | None = None,
    ) -> None:
        self.fields = fields
        self.entry: Fields = outer.entry if outer is not None else fields
        """The entry of `http_filters` that it is, or is inside of."""
        self.name = self.entry.text("name")
        """The name that `typed_per_filter_config` must use."""
        self.condition = condition
        """The matcher that can keep requests from this filter. None if every request passes it."""
        self.config = config or fields.get("typed_config")
        """Its configuration. Empty if Envoy discovers it (ECDS)."""
        self.kind = self.config.kind
        """The message of its configuration, such as `ExtAuthz`."""

    @property
    def is_disabled(self) -> bool:
        """Whether the filter runs only on routes that switch it on."""
        return self.entry.raw("disabled") is True

    @property
    def discovery(self) -> Fields:
        """Its `config_discovery`. Envoy runs `default_config` until the discovered one arrives."""
        return self.fields.get("config_discovery")

    def may_be(self, kind: str) -> bool:
        """Whether Envoy can discover a filter with this message here, whose content is not in the document."""
        urls = self.discovery.raw("type_urls")
        return any(str(each).endswith(f".{kind}") for each in urls) if isinstance(urls, list) else False

    @cached_property
    def service(self) -> str:
        """The cluster of an ext_authz filter. Empty if it has no gRPC cluster."""
        return self.config.get("grpc_service", "envoy_grpc").text("cluster_name")

    @cached_property
    def condition_at(self) -> Fields | None:
        """The field that lets requests pass an ext_authz filter unchecked. None if it checks every request."""
        if self.config.raw("shadow_mode") is True:
            return Fields(self.config.value, self.config.where("shadow_mode"))
        denies = is_everything(self.config.get("deny_at_disable").raw("default_value"))
        for name in ("filter_enabled", "filter_enabled_metadata"):
            value = self.config.get(name)
            is_set = self.config.raw(name) is not None
            is_all = name == "filter_enabled" and is_everything(value.raw("default_value"))
            if is_set and not is_all and not denies:
                return value
        return self.condition

    @cached_property
    def wrapped(self) -> tuple[HttpFilter, ...]:
        """Filters that this one runs for some of the requests.

        `ExtensionWithMatcher` (match_delegate, composite) holds a filter and a matcher whose actions skip it or run
        other filters (`ExecuteFilterAction`). `default_config` is a filter that can be replaced at any time.
        """
        return tuple(self._wrapped())

    def _wrapped(self) -> Iterator[HttpFilter]:
        default = self.discovery.get("default_config")
        if default:
            yield HttpFilter(self.discovery, self, self.condition, default)
        if self.kind == "ExtensionWithMatcher":
            inner = self.config.get("extension_config")
            if inner:
                yield HttpFilter(inner, self, skipping(self.config) or self.condition)
            yield from self._executed(self.config)
        elif self.kind == "Composite":
            yield from self._executed(self.config)

    def _executed(self, holder: Fields) -> Iterator[HttpFilter]:
        """The filters of a composite filter: for each action one filter or a chain."""
        places = [holder.get(name) for name in (*_MATCHERS, "named_filter_chains")]
        for place in places:
            for each in place.inside():
                if each.get("typed_config").kind and each.path[-1] != "action":
                    # An entry {name, typed_config}: a filter of an action or chain, or an input or matcher extension.
                    yield HttpFilter(each, self, place)

    def every(self) -> Iterator[HttpFilter]:
        """This filter and every filter inside of it."""
        yield self
        for inner in self.wrapped:
            yield from inner.every()


def skipping(wrapper: Fields) -> Fields | None:
    """Return the matcher of an `ExtensionWithMatcher` or its override, if an action in it skips the filter."""
    for name in _MATCHERS:
        matcher = wrapper.get(name)
        if any(each.kind == "SkipFilter" for each in matcher.inside()):
            return matcher
    return None


def is_everything(fraction: Any) -> bool:
    """Whether a fraction, or a boolean flag, is true for every request."""
    if isinstance(fraction, bool):
        return fraction
    fields = Fields.root(fraction)
    return bool(fields.raw("numerator") == _PERCENT.get(_text_or_number(fields.raw("denominator"))))


def _text_or_number(denominator: object) -> str | int:
    return denominator if isinstance(denominator, str | int) else "HUNDRED"
