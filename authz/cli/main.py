"""The `authz` command: an inventory of its subcommands. Each file beside this one is one of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from authz import __version__, exit_codes
from authz.cli import (
    completion_command,
    demo_command,
    explain_command,
    init_command,
    keys_command,
    lint_command,
    policy_test_command,
    reasons_command,
    schema_command,
    serve_command,
)


def build() -> argparse.ArgumentParser:
    """Every subcommand with its options."""
    parser = argparse.ArgumentParser(
        prog="authz",
        description="Decides, per Envoy route, whether this bearer token may do this.",
        epilog="The configuration is the Envoy YAML itself: see docs/configuration.md.",
    )
    parser.add_argument("--version", action="version", version=f"authz {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve_command,
        init_command,
        lint_command,
        explain_command,
        policy_test_command,
        keys_command,
        reasons_command,
        schema_command,
        completion_command,
        demo_command,
    ):
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns its exit code: 0 good, 1 findings, 2 the operator's mistake."""
    options = build().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # a reader such as `head` has seen enough
        sys.stderr.close()
        return exit_codes.OK
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
