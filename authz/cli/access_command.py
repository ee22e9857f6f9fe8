"""`authz access`: show who can reach what in an Envoy configuration."""

from __future__ import annotations

import argparse
import sys

from authz import exit_codes
from authz.cli.input_files import read_text
from authz.core.problems import ConfigurationError

_DESCRIPTION = """\
Compute for every region of requests which tokens reach it: its policy, every way in, and an example token.
"""

_EPILOG = """\
examples:
  authz access envoy.yaml
  authz access envoy.yaml --who 'issuer=ci repository_id=4242'    what this identity can reach
  authz access envoy.yaml --route 'POST /orders'                  who can reach this

Exit codes: 0, or 2 if the file cannot be read. docs/access.md says what is computed, and under which assumptions.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "access",
        help="show who can reach what",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="an Envoy YAML; `-` reads standard input")
    parser.add_argument("--who", metavar="CLAIMS", help="only regions that a token with these claims can reach")
    parser.add_argument(
        "--route", metavar="REQUEST", help="only regions that this request can meet: METHOD and path or URL"
    )
    parser.add_argument("--policies", action="store_true", help="also say which policies admit all that others admit")
    parser.add_argument("--output", choices=("text", "json", "markdown"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    from authz.core.policy import BUILT_IN  # noqa: PLC0415 - loads cryptography
    from authz.tools.access.access_output import OUTPUTS  # noqa: PLC0415 - slow to import, not for --help
    from authz.tools.access.access_report import parse_who, report, unreachable  # noqa: PLC0415
    from authz.tools.access.loaded_file import load  # noqa: PLC0415
    from authz.tools.access.ways_of_access import subsumptions  # noqa: PLC0415

    try:
        who = parse_who(options.who) if options.who else None
        request = _request(options.route) if options.route else None
        loaded = load(read_text(options.file), options.file)
        if who is not None and who.issuer and who.issuer not in loaded.configuration.issuers.by_alias:
            known = ", ".join(loaded.configuration.issuers.by_alias)
            raise ValueError(f"no issuer is called {who.issuer!r:.60}: there are {known}")  # noqa: TRY301
    except (ConfigurationError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return exit_codes.OPERATOR_ERROR
    is_whole = who is None and request is None
    remarks = [f"unreachable route: {each}" for each in unreachable(loaded)] if is_whole else []
    if options.policies:
        own = [each for name, each in loaded.configuration.policies.items() if name not in BUILT_IN]
        remarks += subsumptions(loaded.configuration, own)
    sys.stdout.write(OUTPUTS[options.output](report(loaded, who, request), remarks))
    return exit_codes.OK


def _request(text: str) -> tuple[str, str, str]:
    """Method, host (empty if not given) and path. Raises ValueError with a fix."""
    from authz.tools.envoy_run.http_request import parse_request  # noqa: PLC0415 - the same

    method, _space, target = text.partition(" ")
    if target.startswith("/"):
        return (method, "", parse_request(f"{method} http://any.example{target}").path)
    request = parse_request(text)
    return (request.method, request.host, request.path)
