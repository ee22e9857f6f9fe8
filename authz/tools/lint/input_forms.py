"""The Envoy configurations in a file or folder: bootstraps, ConfigMaps, dumps and xDS files.

All become a bootstrap whose values keep their positions in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from authz.core.problems import ConfigurationError, Location
from authz.envoy.document import YamlDocument, read_all, second_document
from authz.envoy.fields import Fields, field_name
from authz.tools.lint.assembled import MovedDocument, Part, Parts, assemble, merged, units

Move = Callable[[Location], Location]

_NOTHING = "no Envoy configuration is in this file"
_NAME_ONE = "Name an Envoy YAML, a ConfigMap that holds one, or the output of Envoy's /config_dump."
_FIELDS = frozenset({"node", "admin", "static_resources", "dynamic_resources", "layered_runtime"})
"""A mapping with one of these is taken for a bootstrap."""

_FILE_ENDINGS = (".yaml", ".yml", ".json")


def bootstraps(text: str, file: str) -> tuple[YamlDocument, ...]:
    """Every Envoy configuration in a file, at least one. Raises ConfigurationError if there is none."""
    return of_files({file: text})


def of_files(texts: Mapping[str, str]) -> tuple[YamlDocument, ...]:
    """Every Envoy configuration in some files, at least one.

    In a folder, xDS files belong to the bootstrap beside them. Raises ConfigurationError if there is none.
    """
    whole: list[YamlDocument] = []
    parts: list[Parts] = []
    for file, text in texts.items():
        documents = read_all(text, file)
        for index, document in enumerate(documents):
            if _is_kubernetes(document.data):
                held = [found for each in _config_maps(document, text.splitlines(), file) for found in each]
                whole += [each for each in held if isinstance(each, YamlDocument)]
                parts += [each for each in held if isinstance(each, Parts)]
            elif _is_bootstrap(document.data):
                if index or not all(_is_kubernetes(each.data) for each in documents[1:]):
                    raise second_document(documents[index or 1].locate(()))
                whole.append(document)
            else:
                parts += units(document)
    files = [each for each in parts if not each.bootstraps]
    if len(texts) > 1 and len(whole) <= 1 and files:
        own = [Parts(bootstraps=[Part(each, Fields.root(each.data))]) for each in whole]
        together = merged((*own, *files))
        return (assemble(together), *(assemble(each) for each in parts if each.bootstraps))
    found = (*whole, *map(assemble, parts))
    if not found:
        file, text = next(iter(texts.items()))
        raise ConfigurationError.because(_NOTHING, _NAME_ONE, Location(file, 1, 1))
    return found


def _is_kubernetes(data: object) -> bool:
    return isinstance(data, dict) and "apiVersion" in data and "kind" in data


def _is_bootstrap(data: object) -> bool:
    return isinstance(data, dict) and any(field_name(str(key)) in _FIELDS for key in data)


def _config_maps(document: YamlDocument, lines: list[str], file: str) -> Iterator[list[YamlDocument | Parts]]:
    """The values of ConfigMaps that are Envoy configurations, under any key, also in a List."""
    root = Fields(document.data, ())
    for item in (root, *root.each("items")):
        if item.text("kind") != "ConfigMap":
            continue
        data = item.get("data")
        for key, text in data.value.items():
            if isinstance(text, str) and ":" in text:
                move = _move_into(document.locate((*data.path, key)), lines)
                try:
                    yield _held(text, file, move)
                except ConfigurationError:
                    # Any text can be under another key. Broken YAML counts if it was meant to be Envoy's.
                    if key.endswith(_FILE_ENDINGS) or "static_resources" in text:
                        raise


def _held(text: str, file: str, move: Move) -> list[YamlDocument | Parts]:
    try:
        documents = read_all(text, file)
        if len(documents) > 1 and _is_bootstrap(documents[0].data):
            raise second_document(documents[1].locate(()))
    except ConfigurationError as error:
        moved = tuple(
            replace(problem, location=move(problem.location))
            for problem in error.problems
            if problem.location is not None
        )
        raise ConfigurationError(moved) from error
    found: list[YamlDocument | Parts] = []
    for inner in documents:
        document = _moved(inner, move)
        found += [document] if _is_bootstrap(inner.data) else units(document)
    return found


def _moved(inner: YamlDocument, move: Move) -> MovedDocument:
    return MovedDocument(inner.data, lambda path, on_key: move(inner.locate(path, on_key=on_key)))


def _move_into(scalar: Location, lines: list[str]) -> Move:
    """From a place in a text to its place in the file: exact in a block (`|`), else the beginning of the text."""
    header = lines[scalar.line - 1][scalar.column - 1 :]
    if not header.startswith("|"):
        return lambda _place: scalar
    content = (line for line in lines[scalar.line :] if line.strip())
    first = next(content, "")
    indent = len(first) - len(first.lstrip(" "))
    return lambda place: Location(place.file, scalar.line + place.line, indent + place.column)
