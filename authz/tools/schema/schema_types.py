"""Building blocks of the schemas (JSON Schema 2020-12), which match the readers in authz/core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
SCOPE_PATTERN = "^[\x21\x23-\\x5b\\x5d-\x7e]+$"
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def text(description: str, **more: Any) -> Schema:
    """A string that is not empty."""
    return {"type": "string", "minLength": 1, "description": description, **more}


def flag(description: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "default": False, "description": description}


def one_of(description: str, choices: tuple[str, ...], **more: Any) -> Schema:
    """One of a few words."""
    return {"enum": list(choices), "description": description, **more}


def duration(description: str, at_least: float, at_most: float, default: str | None = None) -> Schema:
    """Seconds as a number, or a text with a unit. The bounds of texts are the compiler's business."""
    said = {} if default is None else {"default": default}
    return {
        "description": description,
        "anyOf": [
            {"type": "number", "minimum": at_least, "maximum": at_most},
            {"type": "string", "pattern": DURATION_PATTERN},
        ],
        "examples": ["30s", "15m", "24h"],
        **said,
    }


def one_or_more(item: Schema, description: str, **more: Any) -> Schema:
    """A value, or a list of them that is not empty."""
    return {
        "description": description,
        "anyOf": [item, {"type": "array", "items": item, "minItems": 1}],
        **more,
    }


def mapping(description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A mapping with these fields and no others."""
    needed = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "description": description,
        "properties": dict(properties),
        "additionalProperties": False,
        **needed,
        **more,
    }


def named(description: str, item: Schema, **more: Any) -> Schema:
    """A mapping from names of the operator's choice."""
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": item,
        **more,
    }


def membership(item: Schema, description: str) -> Schema:
    """A demand on a set: values, or a mapping of all_of, any_of, none_of."""
    parts = {
        "all_of": one_or_more(item, "Every one of these."),
        "any_of": one_or_more(item, "At least one of these."),
        "none_of": one_or_more(item, "Not one of these."),
    }
    written_out = mapping("A demand part by part.", parts, minProperties=1)
    return {
        "description": description,
        "anyOf": [item, {"type": "array", "items": item, "minItems": 1}, written_out],
    }
