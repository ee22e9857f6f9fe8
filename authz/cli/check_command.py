"""`authz check`: try everything that `serve` and Envoy need, network included, without serving."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.admin_client import DEFAULT_ADMIN
from authz.cli.input_files import read_text
from authz.core.problems import ConfigurationError
from authz.terminal import Style, patience
from authz.tools.startup_check.entry import PARTS

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from authz.tools.startup_check.all_checks import Addresses

_DETAILS = """\
Reads the configuration, fetches every issuer's keys as `serve` does, and looks at the certificates and clocks of their
servers, at the proxy, at every file that the configuration names (the OAuth2 filter's secrets and Envoy's certificates
included), and at the sockets. Run it as the user and in the place where `serve` will run. It changes nothing.

examples:
  authz check envoy.yaml
  authz check --skip sockets --skip envoy-files envoy.yaml     in CI: configuration, keys, proxy, clock
  authz check --skip sockets --strict --output json envoy.yaml

exit codes: 0 nothing failed, 1 a check failed (with --strict, also a warning), 2 the file or an option is wrong
"""


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "check",
        help="try everything that serve needs: keys, TLS, proxy, files, sockets",
        description="Try everything that `authz serve` needs before it listens.",
        epilog=_DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the Envoy YAML; `-` reads standard input")
    parser.add_argument("--listen", action="append", metavar="ADDRESS", help="as for `serve`; repeatable")
    admin = os.environ.get("AUTHZ_ADMIN") or DEFAULT_ADMIN
    parser.add_argument("--admin", metavar="HOST:PORT", default=admin, help="as for `serve`; `off` for none")
    parser.add_argument("--skip", action="append", choices=PARTS, default=[], help="leave a part out; repeatable")
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the checks and print the report."""
    from authz.tools.startup_check.all_checks import run as run_checks  # noqa: PLC0415 - not for --help
    from authz.tools.startup_check.check_output import FORMATS  # noqa: PLC0415
    from authz.tools.startup_check.entry import Level  # noqa: PLC0415

    addresses = _addresses(options)
    try:
        with patience(f"checking {options.file}"):
            entries = run_checks(read_text(options.file), options.file, addresses, frozenset(options.skip))
    except ConfigurationError as wrong:
        count = len(wrong.problems)
        sys.stderr.write(
            f"{wrong}\n{count} error{'s' if count != 1 else ''} in {options.file}; nothing else was checked.\n"
        )
        return exit_codes.OPERATOR_ERROR
    sys.stdout.write(FORMATS[options.output](entries, Style.of(sys.stdout)))
    bad = {Level.FAILURE, Level.WARNING} if options.strict else {Level.FAILURE}
    return exit_codes.FINDINGS if any(entry.level in bad for entry in entries) else exit_codes.OK


def _addresses(options: argparse.Namespace) -> Addresses:
    from authz.server.address import is_address, parse_tcp  # noqa: PLC0415 - see above
    from authz.tools.startup_check.all_checks import Addresses  # noqa: PLC0415

    listen = options.listen or os.environ.get("AUTHZ_LISTEN", "").replace(",", " ").split()
    for address in listen:
        if not is_address(address):
            options.parser.error(f"--listen {address!r:.200}: write unix:/run/authz/authz.sock or 127.0.0.1:9191")
    admin = "" if options.admin == "off" else options.admin
    if admin and parse_tcp(admin) is None:
        options.parser.error(f"--admin {admin!r:.200}: write {DEFAULT_ADMIN}, or `off`")
    return Addresses(tuple(listen), admin)
