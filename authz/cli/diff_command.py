"""`authz diff`: report every request and token that a changed Envoy configuration admits and the old one refuses."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.input_files import read_text
from authz.core.problems import ConfigurationError

if TYPE_CHECKING:
    from authz.tools.access.loaded_file import LoadedFile
    from authz.tools.access.region_changes import RegionChange

_DESCRIPTION = """\
Compare two Envoy files. Say for every region of requests whether the set of admitted tokens is equal, narrower, wider
or both, and show a request and a token for each widening. The sets are computed, not sampled.
"""

_EPILOG = """\
A widening can be accepted, with a reason, by a comment in NEW above its route or beside the route's first line:
  # authz-diff: allow wider because the partner API opens on 1 May
A comment that accepts nothing is noted in the output, and does not change the exit code.
Exit codes: 0 nothing is wider, 1 something is wider or undecided, 2 a file cannot be read.
docs/access.md says what is proven, and under which assumptions.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "diff",
        help="find who gets access by a change of the configuration",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the Envoy file before the change")
    parser.add_argument("new", metavar="NEW", help="the Envoy file after the change")
    parser.add_argument("--output", choices=("text", "json", "markdown", "github", "sarif"), default="text")
    parser.add_argument(
        "--confirm", action="store_true", help="send each example through real Envoy with both files (needs `envoy`)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the files and print the difference."""
    from authz.tools.access.diff_output import FORMATS  # noqa: PLC0415 - slow to import, not for --help
    from authz.tools.access.region_changes import changes, stale_comments  # noqa: PLC0415

    loaded, problems = [], []
    for file in (options.old, options.new):
        try:
            loaded.append(_load(file))
        except ConfigurationError as error:
            problems.append(f"{file}: cannot be compared\n{error}")
    if problems:
        sys.stderr.write("".join(f"{each}\n" for each in problems))
        return exit_codes.OPERATOR_ERROR
    old, new = loaded
    found = list(changes(old, new))
    sys.stdout.write(FORMATS[options.output](found, options.new, list(stale_comments(new, found))))
    if options.confirm and not _confirm(old, new, found):
        return exit_codes.OPERATOR_ERROR
    return exit_codes.FINDINGS if any(each.is_refused for each in found) else exit_codes.OK


def _confirm(old: LoadedFile, new: LoadedFile, found: list[RegionChange]) -> bool:
    """Print on standard error what real Envoy does with each example. Return whether it agrees with all."""
    from authz.tools.access.envoy_confirmation import confirm  # noqa: PLC0415 - the same
    from authz.tools.access.example_words import request_in_words  # noqa: PLC0415
    from authz.tools.processes.machine import CannotRunError  # noqa: PLC0415

    try:
        results = confirm(old, new, found)
    except (ConfigurationError, CannotRunError) as error:
        sys.stderr.write(f"Envoy cannot confirm the examples: {error}\n")
        return False
    for each in results:
        sys.stderr.write(f"{each}: {request_in_words(each.change.example())}\n")
    holding = sum(each.holds for each in results)
    sys.stderr.write(f"Envoy confirms {holding} of {len(results)} examples\n")
    return holding == len(results)


def _load(file: str) -> LoadedFile:
    from authz.tools.access.loaded_file import load  # noqa: PLC0415 - the same

    return load(read_text(file), file)
