"""`authz explain`: show, check by check, why a request is forwarded or refused."""

from __future__ import annotations

import argparse
import json
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.input_files import read_text, settings_of
from authz.core.problems import ConfigurationError
from authz.terminal import Style, patience

if TYPE_CHECKING:
    from authz.envoy.settings import Settings
    from authz.tools.explain.explained_request import ExplainedRequest, Met

_EXAMPLES = """\
examples:
  pbpaste | authz explain --envoy-config envoy.yaml --policy orders-read
      a token, an Authorization header or a whole `curl` command line from standard input
  authz explain --envoy-config envoy.yaml --request 'POST https://orders.example.com/orders' --token-file token.txt
      the policy is the one that Envoy's own route match names: needs the `envoy` command
  authz explain --envoy-config envoy.yaml --curl "curl https://orders.example.com/orders -H 'authorization: Bearer …'"
  authz explain --envoy-config envoy.yaml --policy "{scopes: [orders/read]}" --jwks jwks.json --at 2026-01-31T12:00:00Z
      without a network: keys from a file, at another time

Signatures and whole tokens are never printed. Without --jwks the issuer's keys are fetched as the sidecar fetches them.

exit codes: 0 forwarded, 1 refused, 2 an error in the input
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "explain",
        help="show why a token is forwarded or refused, check by check",
        description="Show every check of one request in order: the input, the rule and the verdict;\n"
        "then the response to the client, and how to let the request pass.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--envoy-config", metavar="FILE", required=True, help="the Envoy YAML with node.metadata.authz")
    parser.add_argument("--policy", metavar="NAME", help="a policy's name, or an inline policy as YAML")
    parser.add_argument("--request", metavar="'METHOD URL'", help="a request, whose policy Envoy's own routes name")
    parser.add_argument(
        "--token-file", metavar="FILE", help="the file with the token; `-` or no option: standard input"
    )
    parser.add_argument("--curl", metavar="'curl …'", help="a curl command line with the token and the URL")
    parser.add_argument("--jwks", metavar="FILE", help="take the issuer's keys from this JWKS instead of fetching them")
    parser.add_argument("--at", metavar="TIME", help="judge as at this time (ISO 8601 or seconds since 1970)")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain one request. Return 0 if it is forwarded, 1 if it is refused, 2 if the input is invalid."""
    try:
        return _explain(options)
    except ConfigurationError as error:
        print(f"authz explain: {error}", file=sys.stderr)
        return exit_codes.OPERATOR_ERROR


def _explain(options: argparse.Namespace) -> int:
    from authz.tools.explain.explanation import explain  # noqa: PLC0415 - not for --help
    from authz.tools.explain.explanation_output import data, text  # noqa: PLC0415

    subject = _subject(options)
    settings = settings_of(options.envoy_config)
    if options.policy is not None:
        _require_policy(options.policy, settings)
    met = _meet(subject, settings)
    if met.message is None:
        return _not_asked(met.said, is_forwarded=met.is_forwarded, output=options.output)
    with subject.rules(settings, patience) as rules:
        explanation = explain(rules.rules, met.message, subject.now, rules.key_problem)
        problem, left_out = rules.key_problem(explanation.decision.issuer), rules.note
    if options.output == "json":
        sys.stdout.write(
            json.dumps(data(explanation) | {"route": met.said, "keys": problem, "note": left_out}, indent=2) + "\n"
        )
    else:
        notes = [
            note for note in (met.said, left_out, f"Could not load the keys: {problem}" if problem else "") if note
        ]
        sys.stdout.write("".join(f"{line}\n" for line in (*notes, *text(explanation, Style.of(sys.stdout)))))
    return exit_codes.OK if explanation.is_allowed else exit_codes.FINDINGS


def _require_policy(text: str, settings: Settings) -> None:
    """Report a name that no policy has, or an inline policy that is not valid. Raises ConfigurationError."""
    from authz.core.policy_lookup import PolicyLookup  # noqa: PLC0415 - not for --help
    from authz.core.read_policy import is_name  # noqa: PLC0415
    from authz.core.reasons import Denied  # noqa: PLC0415
    from authz.envoy.inline_policy import parse_inline_policy  # noqa: PLC0415

    policies = settings.configuration.policies
    try:
        PolicyLookup(settings.configuration.references, parse_inline_policy).find(text)
    except Denied as denied:
        close = get_close_matches(text, policies, n=1)
        fix = f". Did you mean `{close[0]}`?" if close else f". Configured policies: {', '.join(sorted(policies))}."
        problem = denied.detail + (fix if is_name(text) else "")
        raise ConfigurationError.because(f"--policy: {problem}") from denied


def _meet(subject: ExplainedRequest, settings: Settings) -> Met:
    from authz.tools.processes.machine import CannotRunError  # noqa: PLC0415

    try:
        with patience("asking Envoy's routes"):
            return subject.meet(settings)
    except (CannotRunError, ConfigurationError) as problem:
        raise ConfigurationError.because(f"{problem}\nOr name the policy with --policy NAME.") from problem


def _not_asked(said: str, *, is_forwarded: bool, output: str) -> int:
    """Envoy responded itself, or forwarded the request without a check."""
    decision = "forwarded without a check" if is_forwarded else "answered by Envoy itself"
    if output == "json":
        sys.stdout.write(json.dumps({"decision": decision, "route": said}, indent=2) + "\n")
    else:
        sys.stdout.write(f"{said}\n")
    return exit_codes.OK if is_forwarded else exit_codes.FINDINGS


def _subject(options: argparse.Namespace) -> ExplainedRequest:
    from authz.tools.envoy_run.http_request import parse_request  # noqa: PLC0415
    from authz.tools.explain.explained_request import ExplainedRequest, parse_moment  # noqa: PLC0415
    from authz.tools.explain.token_input import read_pasted  # noqa: PLC0415

    try:
        pasted = read_pasted(options.curl if options.curl is not None else _pasted(options.token_file))
        request = parse_request(options.request) if options.request else pasted.request
        now = parse_moment(options.at) if options.at else time.time()
    except ConfigurationError as problem:
        raise ConfigurationError.because(f"the token: {problem}") from problem
    except ValueError as problem:
        raise ConfigurationError.because(str(problem)) from problem
    if options.policy is None and request is None:
        raise ConfigurationError.because(
            "say --policy NAME, or --request 'GET https://host/path' to let Envoy's routes name it"
        )
    jwks = Path(options.jwks).read_bytes if options.jwks else None
    try:
        document = jwks() if jwks else None
    except OSError as problem:
        raise ConfigurationError.because(f"{options.jwks}: cannot be read: {problem.strerror}") from problem
    return ExplainedRequest(pasted.authorization, options.policy, request, document, now)


def _pasted(file: str | None) -> str:
    """Return the text of the file or of standard input. Empty if standard input is a terminal."""
    if file and file != "-":
        return read_text(file)
    if sys.stdin is None or (sys.stdin.isatty() and file is None):
        return ""
    return read_text("-")
