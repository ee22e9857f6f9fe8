"""`authz init`: write a complete Envoy YAML for one host."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from authz.core.problems import ConfigurationError, Problem
from authz.core.profiles import PROFILES
from authz.core.url import refusal

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from authz.tools.init.answers import Answers, Endpoints

EXIT_PROBLEM = 2
DEFAULT_FILE = "envoy.yaml"

_EXAMPLES = """\
examples:
  authz init --profile cognito --user-pool-id ap-northeast-1_AbCdEfGhI --client-id 5onexampleclientid \\
      --login-domain orders.auth.ap-northeast-1.amazoncognito.com \\
      --host orders.example.com --upstream /orders=127.0.0.1:8080 --login
  authz init --profile oidc --issuer https://idp.example.com --audience orders \\
      --host orders.example.com --upstream /orders=127.0.0.1:8080 --api-only --output -

On a terminal, init asks for what is missing. Each upstream gets two policies, PREFIX-read for GET and PREFIX-write for
everything else; every other path is closed. Edit the file from there: it has no generated parts.

exit codes: 0 written, 2 an option is missing or wrong, or the file exists (--force overwrites it)
"""


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "init",
        help="write a complete Envoy YAML for one host",
        description="Write a complete Envoy YAML for one host, with authz as the ext_authz service.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=tuple(PROFILES), help="the kind of issuer")
    parser.add_argument("--user-pool-id", default="", metavar="ID", help="cognito: the user pool")
    parser.add_argument("--issuer", default="", metavar="URL", help="other profiles: the exact `iss` of the tokens")
    parser.add_argument("--client-id", action="append", default=[], metavar="ID", help="an accepted client; repeatable")
    parser.add_argument("--audience", action="append", default=[], metavar="AUD", help="an accepted `aud`; repeatable")
    parser.add_argument("--host", default="", help="the host name that clients use")
    parser.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="[/PREFIX=]HOST:PORT",
        help="an upstream and its path prefix (default /api); repeatable",
    )
    parser.add_argument("--name", default="", help="the service's name, the realm of challenges (default from --host)")
    entry = parser.add_mutually_exclusive_group()
    entry.add_argument("--login", action="store_true", default=None, help="browsers sign in at the provider")
    entry.add_argument("--api-only", dest="login", action="store_false", help="clients send bearer tokens only")
    parser.add_argument("--login-domain", default="", metavar="HOST", help="cognito: the user pool's domain")
    parser.add_argument("--authorization-endpoint", default="", metavar="URL", help="instead of asking the issuer")
    parser.add_argument("--token-endpoint", default="", metavar="URL", help="instead of asking the issuer")
    parser.add_argument("--end-session-endpoint", default="", metavar="URL", help="instead of asking the issuer")
    parser.add_argument("--cors", action="append", default=[], metavar="ORIGIN", help="a page's origin; repeatable")
    edge = parser.add_mutually_exclusive_group()
    edge.add_argument("--tls", dest="tls", action="store_true", default=True, help="Envoy ends TLS (the default)")
    edge.add_argument("--behind-load-balancer", dest="tls", action="store_false", help="a load balancer ends TLS")
    parser.add_argument("--workers", type=int, default=1, help="authz workers, one per core (default %(default)s)")
    parser.add_argument("--output", default=DEFAULT_FILE, metavar="FILE", help="`-` writes to standard output")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the file."""
    try:
        _require_free(options)
        if sys.stdin.isatty() and sys.stderr.isatty():
            _ask(options)
        text = _text(options)
    except ConfigurationError as error:
        lines = "".join(f"authz init: {problem}\n" for problem in error.problems)
        sys.stderr.write(f"{lines}Nothing was written.\n")
        return EXIT_PROBLEM
    if options.output == "-":
        sys.stdout.write(text)
        return 0
    Path(options.output).write_text(text, encoding="utf-8")
    sys.stderr.write(f"{options.output} is written. Next: authz lint {options.output}\n")
    return 0


def _require_free(options: argparse.Namespace) -> None:
    path = Path(options.output)
    if options.output != "-" and path.exists() and not options.force:
        raise ConfigurationError.because(f"{path} exists", "Add --force to overwrite it, or name another --output.")
    if options.output != "-" and not path.parent.is_dir():
        raise ConfigurationError.because(f"the folder {path.parent} does not exist", "Create it, or name another one.")


def _text(options: argparse.Namespace) -> str:
    """The file's text. Raises ConfigurationError with every problem, those of the provider's answer included."""
    # The template engine is loaded for this command only.
    from authz.tools.init.render import render  # noqa: PLC0415

    if options.profile is None:
        raise ConfigurationError.because("--profile is missing", f"Choose one of {', '.join(PROFILES)}.")
    if options.login is None:
        raise ConfigurationError.because("--login or --api-only is missing", "Say whether browsers sign in here.")
    try:
        endpoints = _endpoints(options)
    except ConfigurationError as error:
        others = [problem for problem in _answers(options, None).problems if "endpoints" not in problem.message]
        raise ConfigurationError((*others, *error.problems)) from error
    return render(_answers(options, endpoints))


def _endpoints(options: argparse.Namespace) -> Endpoints | None:
    """The provider's login endpoints: as given, else from its discovery document."""
    from authz.tools.init.answers import Endpoints  # noqa: PLC0415
    from authz.tools.init.discover import endpoints_of  # noqa: PLC0415

    if options.authorization_endpoint and options.token_endpoint:
        _require_fetchable(options, "authorization_endpoint", "token_endpoint", "end_session_endpoint")
        return Endpoints(options.authorization_endpoint, options.token_endpoint, options.end_session_endpoint)
    if options.login and options.issuer:
        return endpoints_of(options.issuer)
    return None


def _require_fetchable(options: argparse.Namespace, *names: str) -> None:
    """Refuse endpoints that are not https URLs, as those of a discovery document are refused."""
    problems = tuple(
        Problem((), f"--{name.replace('_', '-')}: {text!r:.200} cannot be used: {why}", "Write an https URL.")
        for name in names
        if (text := getattr(options, name)) and (why := refusal(text))
    )
    if problems:
        raise ConfigurationError(problems)


def _answers(options: argparse.Namespace, endpoints: Endpoints | None) -> Answers:
    from authz.tools.init.answers import Answers  # noqa: PLC0415

    return Answers(
        profile=options.profile,
        host=options.host,
        upstreams=tuple(options.upstream),
        user_pool_id=options.user_pool_id,
        issuer=options.issuer,
        client_ids=tuple(options.client_id),
        audiences=tuple(options.audience),
        name=options.name,
        login=options.login,
        login_domain=options.login_domain,
        endpoints=endpoints,
        tls=options.tls,
        cors=tuple(options.cors),
        workers=options.workers,
    )


def _ask(options: argparse.Namespace) -> None:
    """Ask for missing options on the terminal."""
    from authz.tools.init.questions import ask  # noqa: PLC0415

    ask(options)
