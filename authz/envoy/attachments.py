"""What an HTTP filter does on one route: `typed_per_filter_config`, merged as Envoy merges it.

Envoy reads the route table, the virtual host, the route and the weighted cluster, in this order. ext_authz merges
`context_extensions` key by key. Everything else comes from the innermost entry alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authz.core.problems import Path
from authz.envoy.fields import Fields

_SERVICES = ("grpc_service", "http_service")


@dataclass(frozen=True, slots=True)
class Attachment:
    """The merged settings of ext_authz on a route, or on one weighted cluster of it."""

    extensions: Mapping[str, tuple[Any, Path]] = field(default_factory=dict)
    """Merged context extensions, each with the path of its value."""
    off_at: Path | None = None
    """The path of the `disabled: true` that switches the filter off."""
    set_at: Path | None = None
    """The path of the innermost entry. An entry that is not `disabled` switches on a filter that is off by default."""
    service: Fields | None = None
    """The `check_settings` that send the check to another service than the filter's."""
    wrapper: Fields | None = None
    """The `ExtensionWithMatcherPerRoute` that decides for which requests the filter runs."""

    @property
    def policy(self) -> Any:
        """The value of `policy`. None if there is none."""
        return self.extensions.get("policy", (None, ()))[0]


def attach(levels: Iterable[Fields], filter_name: str) -> Attachment:
    """Merge the entries for one filter from the outermost level to the innermost."""
    extensions: dict[str, tuple[Any, Path]] = {}
    skipped_at = off_at = set_at = None
    service = wrapper = None
    for level in levels:
        overrides = level.get("typed_per_filter_config")
        if filter_name not in overrides.value:
            continue
        entry = overrides.get(filter_name)
        if not entry:
            continue
        # FilterConfig wraps the real message and has a `disabled` of its own. It decides whether the filter runs, and
        # the `disabled` of ExtAuthzPerRoute whether the filter that runs asks. A FilterConfig without a real message
        # leaves the second as it was.
        is_wrapped = entry.kind == "FilterConfig"
        override = entry.get("config") if is_wrapped else entry
        set_at = entry.path
        skipped_at = entry.where("disabled") if is_wrapped and entry.raw("disabled") is True else None
        if override.kind == "ExtensionWithMatcherPerRoute":
            wrapper = override
        elif override.kind or override.value:
            off_at = override.where("disabled") if override.raw("disabled") is True else None
            checks = override.get("check_settings")
            service = checks if any(checks.raw(name) is not None for name in _SERVICES) else None
            settings = checks.get("context_extensions")
            for key, value in settings.value.items():
                extensions[key] = (value, (*settings.path, key))
    return Attachment(extensions, skipped_at or off_at, set_at, service, wrapper)
