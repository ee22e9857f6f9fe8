"""`authz demo`: run the whole stack on one machine, interactively or, with --once, as a scripted tour."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

from authz import exit_codes

if TYPE_CHECKING:
    from authz.tools.demo.stack import Stack

DEFAULT_PORT = 8000
DEFAULT_LOGIN_PORT = 8001

_READY = """\

Open   {home}/
and sign in as {staff.name} with the password {staff.password}

Or send a bearer token, as an API client does:

  curl -i {home}/orders

  TOKEN=$(curl -s {cognito}/ -H 'content-type: application/x-amz-json-1.1' \\
    -H 'x-amz-target: AWSCognitoIdentityProviderService.InitiateAuth' \\
    -d '{{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"{client}",
         "AuthParameters":{{"USERNAME":"{reader.name}","PASSWORD":"{reader.password}"}}}}' \\
    | sed 's/.*"AccessToken": *"\\([^"]*\\)".*/\\1/')
  curl -i {home}/orders -H "authorization: Bearer $TOKEN"
  curl -i {home}/orders -H "authorization: Bearer $TOKEN" -d '{{}}'

{reader.name} is in the group order-readers. {newcomer.name} (password {newcomer.password}) is in no group.

Configuration  {place.configuration}   (deploy/envoy.yaml with this demo's addresses)
Access log     {place.access_log}
Other logs     {place.directory}/*.log   (authz.log has a line per refusal)
Metrics, keys  {admin}/metrics   {admin}/keys

From another machine, forward both ports and open the same address there:
ssh -L {place.port}:127.0.0.1:{place.port} -L {login_port}:127.0.0.1:{login_port} THIS_HOST

Press Ctrl-C to stop.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's options."""
    parser = subparsers.add_parser(
        "demo",
        help="run login, Envoy, the sidecar and an upstream on this machine",
        description="Start a Cognito emulator, an upstream, Envoy and the sidecar on loopback, and run them together.",
    )
    parser.add_argument("--once", action="store_true", help="run the tour, check every response, and exit")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="where to listen (default: %(default)s)")
    parser.add_argument(
        "--login-port",
        type=int,
        default=DEFAULT_LOGIN_PORT,
        help="of the emulator's login pages (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo. Return 0, 1 if the tour saw an unexpected response, 2 if it cannot run."""
    # Only this command needs the demo's parts: the others start without them.
    from authz.tools.demo.stack import running  # noqa: PLC0415
    from authz.tools.processes.machine import CannotRunError  # noqa: PLC0415

    # A closed terminal and a stopped service end the demo as Ctrl-C does: through every `finally`.
    # Ctrl-C's own signal is set as well: a shell that starts programs in the background has them ignore it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with running(args.port, args.login_port, say=print) as stack:
            return _walk(stack) if args.once else _wait(stack)
    except CannotRunError as error:
        print(f"authz demo: {error}", file=sys.stderr)
        return exit_codes.OPERATOR_ERROR
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED if args.once else exit_codes.OK


def _walk(stack: Stack) -> int:
    from authz.tools.demo.tour import walk  # noqa: PLC0415
    from authz.tools.demo.transcript import Transcript  # noqa: PLC0415

    transcript = Transcript()
    walk(stack, transcript)
    if transcript.surprises:
        print(f"\n{transcript.surprises} surprises.")
        return exit_codes.FINDINGS
    print("\nEvery answer was as promised.")
    return exit_codes.OK


def _wait(stack: Stack) -> int:
    """Print the requests to try, and watch the child processes until Ctrl-C."""
    pool = stack.pool
    print(
        _READY.format(
            home=stack.place.home,
            place=stack.place,
            cognito=stack.place.cognito,
            login_port=stack.place.cognito.rpartition(":")[2],
            client=pool.api_client_id,
            staff=pool.staff,
            reader=pool.reader,
            newcomer=pool.newcomer,
            admin=stack.sidecar_admin,
        ),
        flush=True,
    )
    pause = threading.Event()
    while not pause.wait(0.5):
        stack.children.check()
    return exit_codes.OK
