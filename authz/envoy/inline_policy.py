"""Parse the YAML text of an inline policy, for `authz.core.policy_lookup`."""

from __future__ import annotations


def parse_inline_policy(text: str) -> object:
    """Return the data of an inline policy. Raises ConfigurationError."""
    # Imported here: a worker whose routes have no inline policy never loads a YAML parser.
    from authz.envoy.document import read  # noqa: PLC0415

    return read(text, "policy").data
