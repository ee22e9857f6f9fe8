"""The `authz` command: list its subcommands. Each subcommand is a file in this directory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from authz import __version__, exit_codes
from authz.cli import (
    access_command,
    check_command,
    completion_command,
    demo_command,
    diff_command,
    explain_command,
    health_command,
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
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (
        serve_command,
        init_command,
        lint_command,
        access_command,
        diff_command,
        check_command,
        metadata_command,
        explain_command,
        policy_test_command,
        health_command,
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
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build()
    if not words:
        parser.print_help(sys.stderr)
        return exit_codes.OPERATOR_ERROR
    _require_command(parser, words[0])
    options = parser.parse_args(words)
    if "run" not in options:
        parser.error(f"a command is missing after {words[0]}: see authz --help")
    try:
        return int(options.run(options))
    except BrokenPipeError:  # a reader such as `head` closed the pipe
        sys.stderr.close()
        return exit_codes.OK
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED


def _require_command(parser: argparse.ArgumentParser, word: str) -> None:
    """Exit with code 2 if the word is no command, and name the nearest one."""
    names = command_names(parser)
    if word.startswith("-") or word in names:
        return
    close = get_close_matches(word, names, n=1)
    meant = f"Did you mean `authz {close[0]}`?" if close else f"The commands are {', '.join(names)}."
    parser.error(f"{word!r:.60} is not a command. {meant}")


def command_names(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The names of all subcommands."""
    # argparse has no public way to ask what was declared.
    actions = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))  # noqa: SLF001
    return tuple(name for each in actions for name in each.choices)
