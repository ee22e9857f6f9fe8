"""HTTP filters of a connection manager, including wrapped and discovered filters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from authz.envoy.fields import Fields

EXT_AUTHZ = "ExtAuthz"
OAUTH2 = "OAuth2"
_WRAPPERS = frozenset({"ExtensionWithMatcher", "Composite"})


class HttpFilter:
    """One HTTP filter: an entry of `http_filters`, or a filter inside of such an entry."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.name = fields.text("name")
        """The name that `typed_per_filter_config` must use."""
        self.config = fields.get("typed_config")
        """Its configuration. Empty if Envoy discovers it (ECDS)."""
        self.kind = self.config.kind
        """The message of its configuration, such as `ExtAuthz`."""

    @property
    def is_disabled(self) -> bool:
        """Whether the filter runs only on routes that switch it on."""
        return self.fields.raw("disabled") is True

    @property
    def discovery(self) -> Fields:
        """Its `config_discovery`. Envoy runs `default_config` until the discovered one arrives."""
        return self.fields.get("config_discovery")

    @cached_property
    def wrapped(self) -> tuple[HttpFilter, ...]:
        """Filters that this one runs for some of the requests.

        `ExtensionWithMatcher` (match_delegate, composite) holds a filter and a matcher whose actions skip it or run
        another filter (`ExecuteFilterAction`). `default_config` is a filter that can be replaced at any time.
        """
        return tuple(self._wrapped())

    def _wrapped(self) -> Iterator[HttpFilter]:
        default = self.discovery.get("default_config")
        if default:
            yield HttpFilter(Fields({"name": self.name, "typed_config": default.value}, self.discovery.path))
        if self.kind not in _WRAPPERS:
            return
        inner = self.config.get("extension_config")
        if inner:
            yield HttpFilter(inner)
        for matcher in ("xds_matcher", "matcher"):
            for action in self.config.get(matcher).inside():
                if action.kind == "ExecuteFilterAction" and action.get("typed_config"):
                    yield HttpFilter(action.get("typed_config"))

    def every(self) -> Iterator[HttpFilter]:
        """This filter and every filter inside of it."""
        yield self
        for inner in self.wrapped:
            yield from inner.every()
