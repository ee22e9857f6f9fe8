"""Parse the YAML text of an inline policy, for `authz.core.policy_lookup`."""

from __future__ import annotations

MAX_LEVELS = 20
"""Levels of nesting. The deepest policy has 4: the elements of `{claims: {POINTER: {any_of: [VALUE]}}}`."""


def parse_inline_policy(text: str) -> object:
    """Return the data of an inline policy. Raises ConfigurationError."""
    # Imported here: a worker whose routes have no inline policy never loads a YAML parser.
    from authz.envoy.document import Bounds, read  # noqa: PLC0415

    # Without aliases no text has more values than characters, and one: `-` is a list with a null.
    return read(text, "policy", Bounds(values=len(text) + 1, levels=MAX_LEVELS)).data
