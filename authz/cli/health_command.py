"""`authz health`: ask the running sidecar whether it is alive or ready. The image's HEALTHCHECK runs it."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
from ipaddress import ip_address

from authz import exit_codes
from authz.cli.admin_client import DEFAULT_ADMIN, get
from authz.core.url import bracketed
from authz.server.address import parse_tcp

TIMEOUT_SECONDS = 3.0
MAX_BYTES = 64 * 1024

_EXAMPLES = """\
examples:
  authz health            whether every worker's event loop turns; if not, a restart helps
  authz health --ready    whether every worker serves and every issuer has keys; if not, a restart does not help

in a Dockerfile or a Compose file, without a shell: ["CMD", "authz", "health"]

exit codes: 0 healthy, 1 unhealthy (or the sidecar does not answer), 2 an invalid option
"""

_OFF = "without an admin port there is nothing to ask. Give `authz serve` an --admin address"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "health",
        help="ask the running sidecar whether it is healthy",
        description="Ask the running sidecar at its admin address whether it is alive (/livez) or ready (/readyz).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = os.environ.get("AUTHZ_ADMIN") or DEFAULT_ADMIN
    parser.add_argument("--admin", metavar="HOST:PORT", default=default, help="its admin address (default %(default)s)")
    parser.add_argument("--ready", action="store_true", help="ask for /readyz instead of /livez")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Print the sidecar's answer. Return 0 if it is healthy and 1 if not."""
    parser: argparse.ArgumentParser = options.parser
    if options.admin == "off":
        parser.error(f"--admin off: {_OFF}")
    try:
        host, port = _target(options.admin)
    except ValueError:
        parser.error(f"--admin {options.admin!r:.80}: write HOST:PORT, such as {DEFAULT_ADMIN}")
    path, field = ("/readyz", "ready") if options.ready else ("/livez", "live")
    where = f"http://{bracketed(host)}:{port}{path}"
    try:
        page = get(host, port, path, timeout=TIMEOUT_SECONDS, max_bytes=MAX_BYTES)
    except OSError as error:
        return _unhealthy(f"{where} does not answer: {error}")
    except (http.client.HTTPException, ValueError):
        return _unhealthy(f"{where} is not the admin address of a sidecar")
    if not isinstance(page, dict) or not isinstance(page.get(field), bool):
        return _unhealthy(f"{where} is not the admin address of a sidecar")
    print(json.dumps(page))
    return exit_codes.OK if page[field] else exit_codes.FINDINGS


def _target(admin: str) -> tuple[str, int]:
    """Host and port to connect to: loopback if the sidecar listens on every interface. Raises ValueError."""
    address = parse_tcp(admin)
    if address is None:
        raise ValueError
    host, port = address
    if host == "localhost" or not ip_address(host).is_unspecified:
        return host, port
    return ("::1" if ":" in host else "127.0.0.1"), port


def _unhealthy(problem: str) -> int:
    sys.stderr.write(f"authz health: {problem}\n")
    return exit_codes.FINDINGS
