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


@dataclass(frozen=True, slots=True)
class Attachment:
    """The merged settings of ext_authz on a route, or on one weighted cluster of it."""

    extensions: Mapping[str, tuple[Any, Path]] = field(default_factory=dict)
    """Merged context extensions, each with the path of its value."""
    off_at: Path | None = None
    """The path of the `disabled: true` that switches the filter off."""
    set_at: Path | None = None
    """The path of the innermost entry. An entry that is not `disabled` switches on a filter that is off by default."""

    @property
    def policy(self) -> Any:
        """The value of `policy`. None if there is none."""
        return self.extensions.get("policy", (None, ()))[0]


def attach(levels: Iterable[Fields], filter_name: str) -> Attachment:
    """Merge the entries for one filter from the outermost level to the innermost."""
    extensions: dict[str, tuple[Any, Path]] = {}
    off_at: Path | None = None
    set_at: Path | None = None
    for level in levels:
        entry = level.get("typed_per_filter_config").get(filter_name)
        if not entry:
            continue
        # FilterConfig wraps the real message and has a `disabled` of its own.
        override = entry.get("config") if entry.kind == "FilterConfig" else entry
        set_at = entry.path
        off_at = next((each.where("disabled") for each in (entry, override) if each.raw("disabled") is True), None)
        settings = override.get("check_settings", "context_extensions")
        for key, value in settings.value.items():
            extensions[key] = (value, (*settings.path, key))
    return Attachment(extensions, off_at, set_at)
