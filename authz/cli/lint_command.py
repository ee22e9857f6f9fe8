"""`authz lint`: report problems in an Envoy configuration that Envoy and the sidecar accept."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.core.problems import ConfigurationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from authz.tools.lint.rule import Finding

_DESCRIPTION = """\
Read Envoy YAML or JSON, Kubernetes ConfigMaps that hold it, or the output of Envoy's /config_dump,
and name every line that weakens the check or does not do what it says.
"""

_EPILOG = """\
A finding can be allowed, with a reason, by a comment beside its line or above it:
  # authz-lint: allow AUTHZ304 because the health checker of the cloud sends no token
Exit codes: 0 no problem (notes do not count), 1 findings, 2 a file cannot be read.
Every code is explained in docs/lint.md.
"""

_ENDINGS = frozenset({".yaml", ".yml", ".json"})


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "lint",
        help="find problems in an Envoy configuration",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or a folder; `-` reads standard input")
    parser.add_argument("--output", choices=("text", "json", "sarif", "github"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine every file and print the findings."""
    # A file with thousands of routes makes millions of objects that stay until the end. Collecting garbage among them
    # took a third of the time.
    gc.disable()
    try:
        return _run(options)
    finally:
        gc.enable()


def _run(options: argparse.Namespace) -> int:
    # Only this command loads the rules and Envoy's types.
    from authz.tools.lint.examine import is_clean, rules  # noqa: PLC0415
    from authz.tools.lint.output import FORMATS  # noqa: PLC0415

    found: list[Finding] = []
    unreadable = 0
    for name in options.files:
        try:
            found += _examine(name)
        except _CannotReadError as error:
            unreadable += 1
            sys.stderr.write(f"{error}\n")
    sys.stdout.write(FORMATS[options.output](found, len(options.files) - unreadable, rules()))
    if unreadable:
        return exit_codes.OPERATOR_ERROR
    return exit_codes.OK if is_clean(found) else exit_codes.FINDINGS


class _CannotReadError(Exception):
    """A file contains no readable Envoy configuration. The message is one sentence with file and line."""


def _examine(name: str) -> tuple[Finding, ...]:
    from authz.tools.lint.examine import examine_files  # noqa: PLC0415 - see above

    shown = "<stdin>" if name == "-" else name
    try:
        if Path(name).is_dir():
            texts = {str(each): _read(str(each)) for each in _files_of(Path(name))}
            if not texts:
                raise _CannotReadError(f"{shown}: no YAML or JSON file is in this folder. Name an Envoy YAML.")
        else:
            texts = {shown: _read(name)}
        return examine_files(texts)
    except OSError as error:
        raise _CannotReadError(f"{shown}: cannot be read: {error.strerror}. Name an Envoy YAML.") from error
    except UnicodeDecodeError as error:
        raise _CannotReadError(f"{shown}: it is not UTF-8 text. Name an Envoy YAML.") from error
    except ConfigurationError as unreadable:
        raise _CannotReadError(str(unreadable)) from unreadable


def _files_of(folder: Path) -> list[Path]:
    """The YAML and JSON files of a folder. Hidden files are left out: a mounted ConfigMap has each file twice."""
    found = (each for each in sorted(folder.rglob("*")) if each.suffix in _ENDINGS and each.is_file())
    return [each for each in found if not any(part.startswith(".") for part in each.relative_to(folder).parts)]


def _read(name: str) -> str:
    from authz.envoy.document import MAX_BYTES  # noqa: PLC0415 - see above

    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
        return stream.read(MAX_BYTES + 1).decode("utf-8")
