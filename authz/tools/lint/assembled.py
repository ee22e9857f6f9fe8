"""Put the resources of dumps and xDS files together as the bootstrap that has the same effect.

Resources are found by their `@type`, wherever they are: in `/config_dump`, in one answer of `/config_dump?resource=`,
in the JSON of `egctl` and `istioctl`, and under `resources:` in LDS, RDS, CDS and ECDS files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from authz.core.problems import Location, Path
from authz.envoy.document import YamlDocument
from authz.envoy.fields import Fields

_KINDS = {
    ".listener.v3.Listener": "listeners",
    ".cluster.v3.Cluster": "clusters",
    ".route.v3.RouteConfiguration": "routes",
    ".core.v3.TypedExtensionConfig": "extensions",
}
_KEYS = {"listener": "listeners", "cluster": "clusters", "route_config": "routes"}
"""The keys of resources in a dump."""

_OLD = frozenset({"draining_state", "error_state", "drainingState", "errorState"})
"""Versions of a listener that serve no new connection."""


class MovedDocument(YamlDocument):
    """A document whose values are at other positions than its own text has."""

    def __init__(self, data: Any, elsewhere: Callable[[Path, bool], Location], *, is_assembled: bool = False) -> None:
        super().__init__(data, {}, "")
        self._elsewhere = elsewhere
        self.is_assembled = is_assembled
        """Whether it is a dump or a set of xDS files. The sidecar has its own file then."""

    def locate(self, path: Path, *, on_key: bool = False) -> Location:
        """The position of a value, or of its key, in the file."""
        return self._elsewhere(path, on_key)


@dataclass(frozen=True, slots=True)
class Part:
    """One resource and the document that contains it."""

    document: YamlDocument
    fields: Fields


@dataclass(slots=True)
class Parts:
    """The resources of one Envoy."""

    bootstraps: list[Part] = field(default_factory=list)
    listeners: list[Part] = field(default_factory=list)
    clusters: list[Part] = field(default_factory=list)
    routes: list[Part] = field(default_factory=list)
    extensions: list[Part] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.bootstraps or self.listeners or self.clusters or self.routes or self.extensions)

    def add(self, document: YamlDocument, root: Fields) -> None:
        """Add every resource in a part of a document."""
        for kind, fields in _resources(root):
            getattr(self, kind).append(Part(document, fields))


def units(document: YamlDocument) -> Iterator[Parts]:
    """The resources of each Envoy in a document: `egctl` prints one dump for each pod."""
    root = Fields.root(document.data if isinstance(document.data, dict) else {"resources": document.data})
    dumps = [each for each in root.inside() if isinstance(each.raw("configs"), list)]
    for each in dumps or [root]:
        parts = Parts()
        # A list at the top has no key: its paths begin with the index.
        is_list = not isinstance(document.data, dict)
        parts.add(document, Fields(each.value, each.path[1:] if is_list and each.path else each.path))
        if is_list:
            parts = _without_key(parts)
        if parts:
            yield parts


def _without_key(parts: Parts) -> Parts:
    """Take the made-up key `resources` of a list at the top off the paths."""
    for kind in ("bootstraps", *_KINDS.values()):
        found = getattr(parts, kind)
        found[:] = [
            Part(
                each.document,
                Fields(
                    each.fields.value,
                    each.fields.path[1:] if each.fields.path[:1] == ("resources",) else each.fields.path,
                ),
            )
            for each in found
        ]
    return parts


def _resources(root: Fields) -> Iterator[tuple[str, Fields]]:
    """Every resource with its kind, in the order of the document."""
    waiting: list[tuple[Any, Path]] = [(root.value, root.path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, list):
            waiting += [(each, (*path, index)) for index, each in reversed(list(enumerate(value)))]
        if not isinstance(value, dict):
            continue
        fields = Fields(value, path)
        if fields.kind == "BootstrapConfigDump":
            yield "bootstraps", fields.get("bootstrap")
            continue
        kind = next((kind for end, kind in _KINDS.items() if fields.type_url.endswith(end)), "") or _by_shape(fields)
        if kind:
            yield kind, fields
            continue
        old = _OLD | ({"warming_state", "warmingState"} if fields.get("active_state") else frozenset())
        waiting += [(each, (*path, key)) for key, each in reversed(list(value.items())) if key not in old]


def _by_shape(fields: Fields) -> str:
    """The kind of a resource without `@type`, as `istioctl proxy-config listeners -o json` prints it."""
    if "@type" in fields.value:
        return ""
    if (
        len(fields.path) > 1
        and fields.path[-1] in _KEYS
        and (fields.path[-2] == "active_state" or isinstance(fields.path[-2], int))
    ):
        return _KEYS[str(fields.path[-1])]
    if not fields.text("name"):
        return ""
    if any(isinstance(fields.raw(name), list) for name in ("filter_chains", "listener_filters")) or fields.get(
        "default_filter_chain"
    ):
        return "listeners"
    if isinstance(fields.raw("virtual_hosts"), list):
        return "routes"
    has_endpoints = any(fields.get(name) for name in ("load_assignment", "eds_cluster_config", "cluster_type"))
    return "clusters" if has_endpoints or fields.raw("connect_timeout") is not None else ""


def assemble(parts: Parts) -> MovedDocument:
    """Return the bootstrap that has the effect of the resources."""
    return _Assembly(parts).document()


class _Assembly:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._taken: dict[Path, tuple[YamlDocument, Path]] = {}
        self._first = next(each.document for kind in ("bootstraps", *_KINDS.values()) for each in getattr(parts, kind))

    def document(self) -> MovedDocument:
        root: dict[str, Any] = {}
        static: dict[str, Any] = {}
        for each in self._parts.bootstraps:
            own = each.fields.get("static_resources")
            for key in each.fields.value:
                if each.fields.get(key).path != own.path:
                    self._taken[(key,)] = (each.document, (*each.fields.path, key))
                    root[key] = copy.deepcopy(each.fields.raw(key))
            for key in own.value.keys() - {"listeners", "clusters"}:
                self._taken["static_resources", key] = (each.document, (*own.path, key))
                static[key] = copy.deepcopy(own.raw(key))
        for name in ("listeners", "clusters"):
            # A dump repeats the static listeners and clusters in parts of their own.
            received = {each.fields.text("name") for each in getattr(self._parts, name)}
            every = list(getattr(self._parts, name))
            for each in self._parts.bootstraps:
                found = each.fields.get("static_resources").each(name)
                every += [Part(each.document, item) for item in found if item.text("name") not in received]
            static[name] = [
                self._copy(each.document, each.fields.value, each.fields.path, ("static_resources", name, index))
                for index, each in enumerate(every)
            ]
        root["static_resources"] = static
        return MovedDocument(root, self._locate, is_assembled=True)

    def _copy(self, document: YamlDocument, value: Any, source: Path, path: Path) -> Any:
        """A copy of a part with the routes and filters that Envoy has received."""
        self._taken[path] = (document, source)
        taken = copy.deepcopy(value)
        taken.pop("@type", None)
        if path[1] == "listeners" and (self._parts.routes or self._parts.extensions):
            for each in list(Fields(taken, path).inside()):
                self._resolve(each)
        return taken

    def _resolve(self, fields: Fields) -> None:
        name = fields.get("rds").text("route_config_name")
        table = next((each for each in self._parts.routes if each.fields.text("name") == name), None) if name else None
        if table is not None:
            self._put(fields, "rds", "route_config", table, table.fields)
        if fields.get("config_discovery"):
            name = fields.text("name")
            found = next((each for each in self._parts.extensions if each.fields.text("name") == name), None)
            if found is not None:
                self._put(fields, "config_discovery", "typed_config", found, found.fields.get("typed_config"))

    def _put(self, fields: Fields, old: str, new: str, part: Part, value: Fields) -> None:
        holder = fields.editable()
        del holder[fields.key(old)]
        is_table = new == "route_config"
        holder[new] = {key: item for key, item in value.value.items() if not (is_table and key == "@type")}
        self._taken[*fields.path, new] = (part.document, value.path)

    def _locate(self, path: Path, on_key: bool) -> Location:  # noqa: FBT001 - the order of MovedDocument
        for length in range(len(path), 0, -1):
            taken = self._taken.get(path[:length])
            if taken is not None:
                document, source = taken
                return document.locate((*source, *path[length:]), on_key=on_key)
        return Location(self._first.locate(()).file, 1, 1)


def merged(units_of_files: Iterable[Parts]) -> Parts:
    """All resources of a folder as those of one Envoy."""
    every = Parts()
    for each in units_of_files:
        for kind in ("bootstraps", *_KINDS.values()):
            getattr(every, kind).extend(getattr(each, kind))
    return every
