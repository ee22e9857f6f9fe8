"""`authz schema`: a JSON Schema of the configuration, for editors."""

from __future__ import annotations

import argparse
import json
import sys

_EXAMPLES = """\
examples:
  authz schema > authz.schema.json              of node.metadata.authz alone
  authz schema --of envoy > envoy.schema.json   of an Envoy YAML: only node.metadata.authz is described

in VS Code with the YAML extension, and in any editor with yaml-language-server, the first line of envoy.yaml is then:
  # yaml-language-server: $schema=envoy.schema.json

exit codes: 0
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "schema",
        help="print a JSON Schema of the configuration, for editors",
        description="Print a JSON Schema (2020-12) of the configuration: completion, descriptions, error checks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--of", choices=("authz", "envoy", "policy"), default="authz", help="what it describes")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    from authz.tools.schema.schemas import DOCUMENTS  # noqa: PLC0415 - not for --help

    sys.stdout.write(json.dumps(DOCUMENTS[options.of](), indent=2) + "\n")
    return 0
