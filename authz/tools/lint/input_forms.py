"""Find Envoy configurations in a file: a bootstrap, ConfigMaps that contain one, or a dump of /config_dump.

Each becomes a bootstrap whose values know their position in the file. A dump is converted to the bootstrap that
has the same effect: its listeners and clusters, with the discovered route tables inserted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from authz.core.problems import ConfigurationError, Location, Path
from authz.envoy.document import YamlDocument, read, read_all
from authz.envoy.fields import Fields, field_name

Move = Callable[[Location], Location]

_NOTHING = "no Envoy configuration is in this file"
_NAME_ONE = "Name an Envoy YAML, a ConfigMap that holds one, or the output of Envoy's /config_dump."
_FIELDS = frozenset({"node", "admin", "static_resources", "dynamic_resources", "layered_runtime"})
"""A mapping with one of these keys is read as a bootstrap."""

_DUMPED = {
    "BootstrapConfigDump": (),
    "ListenersConfigDump": ("static_listeners", "dynamic_listeners"),
    "ClustersConfigDump": ("static_clusters", "dynamic_active_clusters"),
    "RoutesConfigDump": ("static_route_configs", "dynamic_route_configs"),
}


class MovedDocument(YamlDocument):
    """A document whose positions are translated to those of another file."""

    def __init__(self, data: Any, elsewhere: Callable[[Path, bool], Location]) -> None:
        super().__init__(data, {}, "")
        self._elsewhere = elsewhere

    def locate(self, path: Path, *, on_key: bool = False) -> Location:
        """The position of a value, or of its key, in the file."""
        return self._elsewhere(path, on_key)


def bootstraps(text: str, file: str) -> tuple[YamlDocument, ...]:
    """Every Envoy configuration in a file, at least one. Raises ConfigurationError if there is none."""
    documents = read_all(text, file)
    if any(not _is_kubernetes(document.data) for document in documents):
        document = read(text, file)
        if isinstance(document.data, dict) and isinstance(document.data.get("configs"), list):
            return (_of_dump(document),)
        if not _is_bootstrap(document.data):
            raise ConfigurationError.because(_NOTHING, _NAME_ONE, document.locate(()))
        return (document,)
    lines = text.splitlines()
    held = tuple(found for document in documents for found in _config_maps(document, lines, file))
    if not held:
        raise ConfigurationError.because(_NOTHING, _NAME_ONE, Location(file, 1, 1))
    return held


def _is_kubernetes(data: object) -> bool:
    return isinstance(data, dict) and "apiVersion" in data and "kind" in data


def _is_bootstrap(data: object) -> bool:
    return isinstance(data, dict) and any(field_name(str(key)) in _FIELDS for key in data)


def _config_maps(document: YamlDocument, lines: list[str], file: str) -> Iterator[YamlDocument]:
    """The values of ConfigMaps that are Envoy configurations, also in a List."""
    root = Fields(document.data, ())
    for item in (root, *root.each("items")):
        if item.text("kind") != "ConfigMap":
            continue
        data = item.get("data")
        for key, text in data.value.items():
            if isinstance(text, str) and key.endswith((".yaml", ".yml", ".json")):
                move = _move_into(document.locate((*data.path, key)), lines)
                yield from _held(text, file, move)


def _held(text: str, file: str, move: Move) -> Iterator[YamlDocument]:
    try:
        inner = read(text, file)
    except ConfigurationError as error:
        moved = tuple(
            replace(problem, location=move(problem.location))
            for problem in error.problems
            if problem.location is not None
        )
        raise ConfigurationError(moved) from error
    if _is_bootstrap(inner.data):
        yield MovedDocument(inner.data, lambda path, on_key: move(inner.locate(path, on_key=on_key)))


def _move_into(scalar: Location, lines: list[str]) -> Move:
    """From a place in a text to its place in the file: exact in a block (`|`), else the beginning of the text."""
    header = lines[scalar.line - 1][scalar.column - 1 :]
    if not header.startswith("|"):
        return lambda _place: scalar
    content = (line for line in lines[scalar.line :] if line.strip())
    first = next(content, "")
    indent = len(first) - len(first.lstrip(" "))
    return lambda place: Location(place.file, scalar.line + place.line, indent + place.column)


def _of_dump(document: YamlDocument) -> YamlDocument:
    """A dump as the bootstrap that has the same effect."""
    dump = _Dump(document)
    if not dump.root:
        raise ConfigurationError.because(_NOTHING, _NAME_ONE, document.locate(()))
    return MovedDocument(dump.root, dump.locate)


class _Dump:
    """One dump: the assembled bootstrap, and the source of each part."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._taken: dict[Path, Path] = {}
        parts: dict[str, list[Fields]] = {name: [] for name in _DUMPED}
        for config in Fields(document.data, ()).each("configs"):
            if config.kind == "BootstrapConfigDump":
                parts[config.kind].append(config.get("bootstrap"))
            for name in _DUMPED.get(config.kind, ()):
                parts[config.kind].extend(_entries(config, name))
        self.root = self._assemble(parts)

    def locate(self, path: Path, on_key: bool) -> Location:  # noqa: FBT001 - the order of MovedDocument
        """The place in the dump of a part of the bootstrap."""
        for length in range(len(path), 0, -1):
            taken = self._taken.get(path[:length])
            if taken is not None:
                return self._document.locate((*taken, *path[length:]), on_key=on_key)
        return self._document.locate(())

    def _assemble(self, parts: dict[str, list[Fields]]) -> dict[str, Any]:
        root: dict[str, Any] = {}
        for bootstrap in parts["BootstrapConfigDump"]:
            for key in bootstrap.value.keys() - {"static_resources"}:
                root[key] = self._take(bootstrap.get(key), (key,)) or bootstrap.raw(key)
        listeners, clusters = parts["ListenersConfigDump"], parts["ClustersConfigDump"]
        if not root and not listeners:
            return {}
        static: dict[str, Any] = {"listeners": [], "clusters": []}
        for name, views in (("listeners", listeners), ("clusters", clusters)):
            static[name] = [
                self._take(view, ("static_resources", name, index), parts["RoutesConfigDump"])
                for index, view in enumerate(views)
            ]
        return {**root, "static_resources": static}

    def _take(self, view: Fields, path: Path, routes: list[Fields] | None = None) -> dict[str, Any]:
        """A copy of a part, its received route tables put in, and its own `@type` left out."""
        self._taken[path] = view.path
        taken = {key: item for key, item in copy.deepcopy(dict(view.value)).items() if key != "@type"}
        tables = {table.text("name"): table for table in routes or ()}
        for manager in Fields(taken, path).inside() if tables else ():
            table = tables.get(manager.get("rds").text("route_config_name"))
            if table is not None and isinstance(manager.value, dict):
                del manager.value[manager.key("rds")]
                manager.value["route_config"] = {key: item for key, item in table.value.items() if key != "@type"}
                self._taken[*manager.path, "route_config"] = table.path
        return taken


def _entries(config: Fields, name: str) -> Iterator[Fields]:
    """The resources in one list of a dump: each is under a key such as `listener`, perhaps inside `active_state`."""
    key = {"listeners": "listener", "clusters": "cluster", "configs": "route_config"}[name.rpartition("_")[2]]
    for entry in config.each(name):
        resource = entry.get("active_state", key) or entry.get(key)
        if resource:
            yield resource
