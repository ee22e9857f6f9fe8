"""The `authz` command: list its subcommands. Each subcommand is a file in this directory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from authz import __version__, exit_codes
from authz.cli import (
    completion_command,
    demo_command,
    diff_command,
    explain_command,
    init_command,
    keys_command,
    lint_command,
    metadata_command,
    policy_test_command,
    reasons_command,
    schema_command,
    serve_command,
)


def build() -> argparse.ArgumentParser:
    """Every subcommand with its options."""
    parser = argparse.ArgumentParser(
        prog="authz",
        description="An ext_authz gRPC sidecar for Envoy that checks the JWT on each request per route.",
        epilog="The configuration is the Envoy YAML itself: see docs/configuration.md.",
    )
    parser.add_argument("--version", action="version", version=f"authz {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve_command,
        init_command,
        lint_command,
        diff_command,
        metadata_command,
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
    """Run one subcommand. Return its exit code: 0 success, 1 findings, 2 an operator error."""
    options = build().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # a reader such as `head` closed the pipe
        sys.stderr.close()
        return exit_codes.OK
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
