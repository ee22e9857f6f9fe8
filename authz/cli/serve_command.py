"""`authz serve`: run the sidecar."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.admin_client import DEFAULT_ADMIN
from authz.core.mapping_reader import parse_seconds
from authz.core.problems import ConfigurationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from authz.server.supervisor import ServeOptions

MAX_DRAIN_SECONDS = 3600.0

_REMOTE_CALLS = (
    "other machines can reach this address. The connection has no TLS and no client authentication: everybody who can "
    "connect can read tokens on the way and try tokens without limit. Use a Unix socket or 127.0.0.1. If a network "
    "policy protects the port, add --allow-remote."
)
_REMOTE_ADMIN = (
    "other machines can reach this address, and the admin port has no authentication: everybody who can connect can "
    "read metrics and key ids. Use 127.0.0.1. If a network policy protects the port, add --allow-remote."
)


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand; every option can also be given as AUTHZ_<OPTION>."""
    parser = commands.add_parser(
        "serve",
        help="answer Envoy's ext_authz checks",
        description="Answer Envoy's ext_authz checks. Every option can also be given as AUTHZ_<OPTION>.",
    )
    _option(parser, "--envoy-config", metavar="FILE", help="the Envoy YAML, the same file that Envoy reads")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        default=None,
        help="serve on unix:/path or 127.0.0.1:9191 instead of the ext_authz cluster's endpoints; repeatable",
    )
    _option(parser, "--admin", metavar="HOST:PORT", default=DEFAULT_ADMIN, help="metrics and probes; `off` for none")
    parser.add_argument(
        "--admin-host",
        action="append",
        metavar="NAME",
        help="a name that clients of the admin port may use, besides IP addresses and localhost; repeatable",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        default=os.environ.get("AUTHZ_ALLOW_REMOTE", "").lower() in {"1", "true", "yes"},
        help="allow --listen and --admin on addresses that other machines can reach",
    )
    _option(parser, "--drain", metavar="TIME", default="20s", help="drain time after SIGTERM")
    _option(parser, "--engine", choices=("h2", "grpc"), default="h2", help="the gRPC data plane")
    _option(parser, "--log-level", choices=("debug", "info", "warning", "error"), default="info")
    _option(
        parser,
        "--log-format",
        choices=("json", "console"),
        default="console" if sys.stderr.isatty() else "json",
        shown="console on a terminal, else json",
    )
    parser.set_defaults(run=run, parser=parser)


def _option(parser: argparse.ArgumentParser, name: str, *, shown: str = "", **details: object) -> None:
    """Declare an option whose default can come from the environment. `shown` describes a default that can vary."""
    variable = "AUTHZ_" + name.strip("-").replace("-", "_").upper()
    default = os.environ.get(variable) or details.pop("default", None)
    details.pop("default", None)
    choices = details.get("choices")
    if isinstance(choices, tuple) and default not in choices:  # argparse does not check a default
        parser.error(f"{variable}={default!s:.60}: write one of {', '.join(choices)}")
    said = "" if default is None else f" (default {shown or default})"
    details["help"] = f"{details.get('help', '')}{said}".strip() or None
    parser.add_argument(name, default=default, **details)  # type: ignore[arg-type]


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    wanted = _serve_options(options)
    from authz.envoy.settings import read_settings  # noqa: PLC0415 - slow to import, and not for --help
    from authz.observe.log import Log  # noqa: PLC0415
    from authz.server import named_files  # noqa: PLC0415
    from authz.server.supervisor import serve  # noqa: PLC0415

    try:
        text = wanted.file.read_text(encoding="utf-8")
        settings = read_settings(
            text, str(wanted.file), need_endpoints=not wanted.listen, check_files=named_files.check
        )
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        sys.stderr.write(f"{wanted.file}: cannot be read: {why}. Name the Envoy YAML with --envoy-config.\n")
        return exit_codes.OPERATOR_ERROR
    except ConfigurationError as wrong:
        count = len(wrong.problems)
        sys.stderr.write(f"{wrong}\n{count} error{'s' if count != 1 else ''} in {wanted.file}; nothing was started.\n")
        return exit_codes.OPERATOR_ERROR
    log = Log(options.log_level, options.log_format)
    try:
        return serve(wanted, settings, log)
    finally:
        log.close()


def _serve_options(options: argparse.Namespace) -> ServeOptions:
    """Check the command line. If an option is invalid, exit with code 2."""
    from authz.server.address import is_address, is_remote, parse_tcp  # noqa: PLC0415
    from authz.server.admin_host import is_name  # noqa: PLC0415
    from authz.server.messages import WorkerOptions  # noqa: PLC0415
    from authz.server.supervisor import ServeOptions  # noqa: PLC0415

    parser: argparse.ArgumentParser = options.parser
    if not options.envoy_config:
        parser.error("--envoy-config FILE is needed: the Envoy YAML that Envoy itself reads")
    listen = options.listen or os.environ.get("AUTHZ_LISTEN", "").replace(",", " ").split()
    for address in listen:
        if not is_address(address):
            parser.error(f"--listen {address!r}: write unix:/run/authz/authz.sock or 127.0.0.1:9191")
        if is_remote(address) and not options.allow_remote:
            parser.error(f"--listen {address}: {_REMOTE_CALLS}")
    admin = "" if options.admin == "off" else options.admin
    if admin and parse_tcp(admin) is None:
        parser.error(f"--admin {admin!r}: write {DEFAULT_ADMIN}, or `off`")
    if admin and is_remote(admin) and not options.allow_remote:
        parser.error(f"--admin {admin}: {_REMOTE_ADMIN}")
    hosts = options.admin_host or os.environ.get("AUTHZ_ADMIN_HOST", "").replace(",", " ").split()
    for host in hosts:
        if not is_name(host.lower()):
            parser.error(f"--admin-host {host!r:.80}: write a name without port, such as authz.internal.example")
    drain = parse_seconds(options.drain)
    if drain is None or not 0 <= drain <= MAX_DRAIN_SECONDS:
        parser.error(f"--drain {options.drain!r:.40}: write seconds from 0s to {MAX_DRAIN_SECONDS:.0f}s, such as 20s")
    return ServeOptions(
        file=Path(options.envoy_config),
        listen=tuple(dict.fromkeys(listen)),
        admin=admin,
        admin_hosts=tuple(host.lower() for host in hosts),
        drain_seconds=drain or 0.0,
        worker=WorkerOptions(options.engine, options.log_level, options.log_format, drain or 0.0),
    )
