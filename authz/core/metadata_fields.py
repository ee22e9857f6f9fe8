"""The fields of the dynamic metadata that a check returns to Envoy, for access logs and for later filters."""

from __future__ import annotations

from authz.core.mapping_reader import MappingReader, listed

METADATA_FIELDS = ("decision", "reason", "policy", "issuer", "subject", "client", "request_id")
"""All fields,."""

NO_FIELDS = "none"


def read_metadata_fields(reader: MappingReader) -> frozenset[str]:
    """Read `metadata`: the fields to return, `none` for no field. All fields if it is missing.

    The reader collects the problems.
    """
    if "metadata" not in reader:
        return frozenset(METADATA_FIELDS)
    fields = reader.texts("metadata")
    if fields == {NO_FIELDS}:
        return frozenset()
    for name in sorted(fields.difference(METADATA_FIELDS)):
        problem = f"{name!r:.60} is not a metadata field"
        reader.wrong(("metadata",), problem, f"Known: {listed(METADATA_FIELDS)}; or write `metadata: {NO_FIELDS}`.")
    return fields
