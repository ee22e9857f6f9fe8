"""Complete schemas for editors: of the section, of an Envoy YAML around it, of one policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from authz.tools.schema.authz_section import DIALECT, authz_section, inline_policy
from authz.tools.schema.schema_types import Schema


def _document(title: str, schema: Schema) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": title, **schema}


def section() -> dict[str, Any]:
    """`node.metadata.authz` alone."""
    return _document("node.metadata.authz", authz_section())


def envoy() -> dict[str, Any]:
    """An Envoy YAML: only `node.metadata.authz` is described, everything else is Envoy's own."""
    section_of = {"authz": authz_section()}
    metadata = {"type": "object", "properties": section_of, "required": ["authz"]}
    node = {"type": "object", "properties": {"metadata": metadata}, "required": ["metadata"]}
    return _document("Envoy YAML with node.metadata.authz", {"type": "object", "properties": {"node": node}})


def policy() -> dict[str, Any]:
    """One inline policy."""
    return _document("A policy in context_extensions", inline_policy())


DOCUMENTS: Mapping[str, Callable[[], dict[str, Any]]] = {"authz": section, "envoy": envoy, "policy": policy}
