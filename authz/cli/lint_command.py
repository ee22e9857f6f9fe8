"""`authz lint`: report problems in an Envoy configuration that Envoy and the sidecar accept."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from difflib import get_close_matches
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
`authz lint --explain CODE` says what a code means; docs/lint.md has the examples.

Helm: `helm template RELEASE CHART | authz lint -`
"""

_NAME_ONE = "Name an Envoy YAML."
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
    parser.add_argument("files", nargs="*", metavar="FILE", help="a file, or a folder; `-` reads standard input")
    parser.add_argument("--explain", metavar="CODE", help="say what a code means, and read no file")
    parser.add_argument(
        "--docs-url",
        metavar="URL",
        default=os.environ.get("AUTHZ_DOCS_URL", ""),
        help="where your copy of docs/ is published: SARIF gets a helpUri for each code",
    )
    parser.add_argument("--output", choices=("text", "json", "sarif", "github"), default="text")
    parser.set_defaults(run=run, parser=parser)


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
    from authz.tools.lint.output import FORMATS, Report, Unreadable  # noqa: PLC0415

    if options.explain:
        return _explain(options.explain)
    if not options.files:
        options.parser.error("name a FILE or a folder, or `--explain CODE`")
    found: list[Finding] = []
    unreadable: list[Unreadable] = []
    read = 0
    for name in options.files:
        try:
            found += _examine(name)
            read += 1
        except ConfigurationError as error:
            shown = [Unreadable("<stdin>" if name == "-" else name, problem) for problem in error.problems]
            unreadable += shown
            sys.stderr.write("".join(f"{each}\n" for each in shown))
    report = Report(found, read, rules(), unreadable, options.docs_url)
    sys.stdout.write(FORMATS[options.output](report))
    if unreadable:
        return exit_codes.OPERATOR_ERROR
    return exit_codes.OK if is_clean(found) else exit_codes.FINDINGS


def _explain(code: str) -> int:
    from authz.tools.lint.examine import rules  # noqa: PLC0415 - see above
    from authz.tools.lint.output import explained  # noqa: PLC0415

    known = rules()
    if code.upper() in known:
        sys.stdout.write(explained(known[code.upper()]))
        return exit_codes.OK
    close = get_close_matches(code.upper(), known, n=1)
    meant = f"Did you mean {close[0]}?" if close else "A code is AUTHZ and three digits."
    sys.stderr.write(f"{code!r:.40} is not a code of authz lint. {meant}\n")
    return exit_codes.OPERATOR_ERROR


def _examine(name: str) -> tuple[Finding, ...]:
    """Every finding in a file or folder. Raises ConfigurationError if it has no readable Envoy configuration."""
    from authz.tools.lint.examine import examine_files  # noqa: PLC0415 - see above

    shown = "<stdin>" if name == "-" else name
    try:
        if Path(name).is_dir():
            texts = {str(each): _read(str(each)) for each in _files_of(Path(name))}
            if not texts:
                raise ConfigurationError.because("no YAML or JSON file is in this folder", _NAME_ONE)
        else:
            texts = {shown: _read(name)}
        return examine_files(texts)
    except OSError as error:
        raise ConfigurationError.because(f"cannot be read: {error.strerror}", _NAME_ONE) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError.because("it is not UTF-8 text", _NAME_ONE) from error


def _files_of(folder: Path) -> list[Path]:
    """The YAML and JSON files of a folder. Hidden files are left out: a mounted ConfigMap has each file twice."""
    found = (each for each in sorted(folder.rglob("*")) if each.suffix in _ENDINGS and each.is_file())
    return [each for each in found if not any(part.startswith(".") for part in each.relative_to(folder).parts)]


def _read(name: str) -> str:
    from authz.envoy.document import MAX_BYTES  # noqa: PLC0415 - see above

    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
        return stream.read(MAX_BYTES + 1).decode("utf-8")
