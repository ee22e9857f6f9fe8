"""The revocation list for one explanation: read once from the file that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authz.core.problems import ConfigurationError
from authz.core.revocations import MAX_DOCUMENT_BYTES, Revocations, parse


@dataclass(frozen=True, slots=True)
class FixedList:
    """A list that does not change. Implements authz.server.check_service.RevocationSource."""

    current: Revocations | None


def read_list(file: str) -> tuple[FixedList, str]:
    """The list, and why it is left out here where it cannot be read; nothing to say where none is configured."""
    if not file:
        return FixedList(None), ""
    try:
        with Path(file).open("rb") as stream:
            return FixedList(parse(stream.read(MAX_DOCUMENT_BYTES + 1))), ""
    except OSError as error:
        return FixedList(None), f"The revocation list {file} is not looked at: {error.strerror or error}."
    except ConfigurationError as mistakes:
        return FixedList(None), f"The revocation list {file} is not looked at: {mistakes.problems[0]}"
