"""`authz metadata`: print the route that serves the protected resource metadata (RFC 9728)."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.input_files import settings_of
from authz.core.problems import ConfigurationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = """\
Put the route first in the virtual host of the API. With `resource` in node.metadata.authz, every 401 names the document
and a client finds the authorization server by itself. MCP clients need this. `authz lint` compares the route with
the configuration.

exit codes: 0 printed, 2 the file is wrong or has no `resource`
"""


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "metadata",
        help="print the protected resource metadata as an Envoy route",
        description="Print the protected resource metadata (RFC 9728) as an Envoy route.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the Envoy YAML; `-` reads standard input")
    parser.add_argument("--output", choices=("yaml", "json"), default="yaml", help="json: the document alone")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the route or the document."""
    try:
        sys.stdout.write(_text(options))
    except ConfigurationError as error:
        sys.stderr.write(f"authz metadata: {error}\n")
        return exit_codes.OPERATOR_ERROR
    return exit_codes.OK


def _text(options: argparse.Namespace) -> str:
    from authz.tools.metadata.metadata_route import metadata_route  # noqa: PLC0415 - loads YAML

    settings = settings_of(options.file)
    resource = settings.configuration.resource
    if resource is None:
        raise ConfigurationError.because(
            f"{options.file} has no node.metadata.authz.resource",
            'Add `resource: { id: "https://..." }`, the URL that clients use for this API.',
        )
    if options.output == "json":
        return json.dumps(resource.document(settings.configuration.issuers.by_alias.values()), indent=2) + "\n"
    return metadata_route(settings.configuration, resource, has_login=".filters.http.oauth2.v3.OAuth2" in settings.text)
