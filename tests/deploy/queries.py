"""Which metrics and label values a PromQL expression names, and whether a real page has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

OF_THE_TARGET = frozenset({"job", "instance", "namespace", "pod"})
"""Labels that Prometheus adds."""

CLOSED = frozenset({"outcome", "reason", "result", "agreement"})
"""Labels whose values come from tables in the code, so that a query may name them."""

_SELECTOR = re.compile(r"\b(?P<metric>authz_[a-z_]+)(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r'(?P<label>\w+)\s*(?:=~|!~|!=|=)\s*"(?P<values>[^"]*)"')
_GROUPED = re.compile(r"\b(?:by|on|ignoring)\s*\((?P<labels>[^)]*)\)")


@dataclass(frozen=True)
class Page:
    """The metrics of a sidecar: for each, the values that each label has."""

    metrics: Mapping[str, Mapping[str, frozenset[str]]]

    @classmethod
    def parse(cls, text: str) -> Page:
        """Read a Prometheus page."""
        found: dict[str, dict[str, set[str]]] = {}
        for family in text_string_to_metric_families(text):
            found.setdefault(family.name, {})
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
        return cls({name: {label: frozenset(v) for label, v in labels.items()} for name, labels in found.items()})

    def missing(self, expression: str) -> list[str]:
        """What the expression names and the page does not have."""
        return [*self._missing_from_selectors(expression), *self._missing_from_groups(expression)]

    def _missing_from_selectors(self, expression: str) -> Iterator[str]:
        for selector in _SELECTOR.finditer(expression):
            name = selector["metric"]
            labels = self.metrics.get(name)
            if labels is None:
                yield name
                continue
            for matcher in _MATCHER.finditer(selector["matchers"] or ""):
                yield from self._missing_values(name, labels, matcher["label"], matcher["values"])

    @staticmethod
    def _missing_values(name: str, labels: Mapping[str, frozenset[str]], label: str, values: str) -> Iterator[str]:
        if label not in labels and label not in OF_THE_TARGET:
            yield f"{name}{{{label}}}"
        elif label in CLOSED:
            yield from (f'{name}{{{label}="{value}"}}' for value in values.split("|") if value not in labels[label])

    def _missing_from_groups(self, expression: str) -> Iterator[str]:
        known = {label for labels in self.metrics.values() for label in labels} | OF_THE_TARGET | {"le", "alertname"}
        for group in _GROUPED.finditer(expression):
            yield from (label for label in re.findall(r"\w+", group["labels"]) if label not in known)
