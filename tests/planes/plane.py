"""A running control plane with Envoy: how resources are applied, and how it is known that they are in effect."""

from __future__ import annotations

import copy
import http.client
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from authz.tools.processes.machine import LOOPBACK
from tests.fakes.waiting import until
from tests.planes.scene import Document, Scene

APPLY_SECONDS = 120.0
"""The bound of every wait for a configuration: translation and delivery take about a second."""


class Plane(ABC):
    """One control plane, the Envoy that it configures, and the scene around them."""

    name: str

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.shipped = [copy.deepcopy(each) for each in scene.documents if each["kind"] in self.kinds()]
        self.number = 0
        """Of the last marker."""
        self._is_shipped = False
        self.ask = scene.ask
        self.send = scene.send

    @abstractmethod
    def kinds(self) -> frozenset[str]:
        """The kinds of resources that the control plane reads from its file."""

    @abstractmethod
    def write(self, documents: list[Document]) -> None:
        """Put these resources, and what only this machine needs, into the control plane's file."""

    @abstractmethod
    def marker(self, path: str) -> list[Document]:
        """A route at this path that no policy names, and what else shows that Envoy has a configuration."""

    def is_applied(self, path: str) -> bool:
        """Whether Envoy has the configuration with this marker."""
        return self.ask("GET", path).status not in {0, 404}

    @abstractmethod
    def name_policy(self, documents: list[Document], route: str, policy: str, *, key: str = "policy") -> None:
        """Name another policy for one of the shipped routes."""

    @abstractmethod
    def admin(self) -> int:
        """The port of Envoy's admin interface."""

    @abstractmethod
    def refusals(self) -> str:
        """What the control plane logged about resources that it refused."""

    def config_dump(self) -> dict[str, Any]:
        """Envoy's /config_dump."""
        connection = http.client.HTTPConnection(LOOPBACK, self.admin(), timeout=10)
        try:
            connection.request("GET", "/config_dump")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def apply(self, documents: list[Document]) -> None:
        """Apply these resources and wait until Envoy has them."""
        self.number += 1
        path = f"/applied/{self.number}"
        self._is_shipped = documents == self.shipped
        self.write([*documents, *self.marker(path)])
        until(lambda: self.is_applied(path), APPLY_SECONDS)

    def refuse(self, documents: list[Document], *words: str) -> None:
        """Apply resources that the control plane must refuse, naming these words."""
        before, self._is_shipped = len(self.refusals()), False
        self.write([*documents, *self.marker("/never")])
        until(lambda: all(word in self.refusals()[before:] for word in words), APPLY_SECONDS)

    def change(self, change: Callable[[list[Document]], Any]) -> None:
        """Apply the shipped files with a change. It stays until `restore`."""
        documents = copy.deepcopy(self.shipped)
        change(documents)
        self.apply(documents)

    def restore(self) -> None:
        """Apply the shipped files, if others are applied."""
        if not self._is_shipped:
            self.apply(self.shipped)


def values(data: object, name: str) -> Iterator[Any]:
    """Every value of a field, however deep."""
    items = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else []
    if isinstance(data, dict) and name in data:
        yield data[name]
    for item in items:
        yield from values(item, name)


def find(documents: list[Document], kind: str, name: str) -> Document:
    """The one resource of this kind and name."""
    (found,) = [each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def remove(documents: list[Document], kind: str, name: str) -> None:
    """Take one resource out."""
    documents.remove(find(documents, kind, name))
