"""Read the input files of commands. An error is one sentence on standard error and exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from authz.core.problems import ConfigurationError

if TYPE_CHECKING:
    from authz.envoy.settings import Settings

MAX_BYTES = 4 * 1024 * 1024
"""The largest input file, in bytes: the limit for an Envoy YAML."""


def read_text(file: str) -> str:
    """Return the text of a file, or of standard input for `-`.

    Raises ConfigurationError if it is not UTF-8 text or too large.
    """
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError.because(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError.because(f"{file}: larger than {MAX_BYTES} bytes: check the file name")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError.because(f"{file}: not UTF-8 text: check the file name") from error


def settings_of(file: str) -> Settings:
    """The settings in an Envoy YAML. Raises ConfigurationError with every finding."""
    from authz.envoy.settings import read_settings  # noqa: PLC0415 - slow to import, not for --help

    try:
        return read_settings(read_text(file), file, need_endpoints=False)
    except ConfigurationError as wrong:
        count = len(wrong.problems)
        raise ConfigurationError.because(f"{count} error{'s' if count != 1 else ''} in {file}\n{wrong}") from wrong
