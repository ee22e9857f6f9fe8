"""`authz keys`: show which keys the running sidecar trusts now, from its admin address."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from authz import exit_codes
from authz.cli.admin_client import DEFAULT_ADMIN, get
from authz.core.key_numbers import numbered
from authz.core.problems import ConfigurationError
from authz.core.url import bracketed, is_host_and_port
from authz.terminal import Style

TIMEOUT_SECONDS = 5.0
_HTTP_PORT = 80
MAX_BYTES = 4 * 1024 * 1024
MIN_EVERY_SECONDS, MAX_EVERY_SECONDS = 0.2, 3600.0

_EXAMPLES = """\
examples:
  authz keys                       every issuer's keys, since when, and when they were last fetched
  authz keys --admin http://10.0.0.7:9464       of another sidecar
  authz keys --watch               the same, and a line for each change, until Ctrl-C
  authz keys --output json | jq -r '.issuers[].keys[].kid'

testing a rotation: start `authz keys --watch`, publish the new key beside the old one, wait until it is here in
every worker, sign with it, and only then take the old one away. docs/operations.md has the whole procedure.

exit codes: 0 every issuer has keys, 1 an issuer has none (or the sidecar does not answer), 2 an invalid option
"""


class NoAnswer(Exception):
    """The admin address does not respond like a sidecar. The message says what to check."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "keys",
        help="show which keys the running sidecar trusts now",
        description="Show which keys the running sidecar trusts now, issuer by issuer, from its admin address.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = os.environ.get("AUTHZ_ADMIN") or DEFAULT_ADMIN
    parser.add_argument(
        "--admin",
        metavar="ADDRESS",
        default=default,
        help="its admin address, HOST:PORT or an http URL (default %(default)s)",
    )
    parser.add_argument("--watch", action="store_true", help="keep running, and print each change")
    parser.add_argument("--every", metavar="SECONDS", type=float, default=1.0, help="how often (default %(default)s)")
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="json: with --watch, one document per line"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the keys. Return 0 if every issuer has keys, 1 if an issuer has none, 2 if an option is invalid."""
    try:
        host, port = _address(options)
        return _watch(host, port, options) if options.watch else _once(host, port, options)
    except KeyboardInterrupt:
        return exit_codes.OK
    except ConfigurationError as error:
        print(f"authz keys: {error}", file=sys.stderr)
        return exit_codes.OPERATOR_ERROR
    except NoAnswer as problem:
        print(f"authz keys: {problem}", file=sys.stderr)
        return exit_codes.FINDINGS


def _address(options: argparse.Namespace) -> tuple[str, int]:
    from authz.server.address import parse_tcp  # noqa: PLC0415 - leads to the whole server

    address = _of_url(options.admin) if "://" in options.admin else parse_tcp(options.admin)
    if address is None:
        fix = f"write HOST:PORT or a URL, such as {DEFAULT_ADMIN} or http://{DEFAULT_ADMIN}"
        raise ConfigurationError.because(f"--admin {options.admin!r:.80}: {fix}")
    if not MIN_EVERY_SECONDS <= options.every <= MAX_EVERY_SECONDS:
        raise ConfigurationError.because(f"--every: write from {MIN_EVERY_SECONDS:g} to {MAX_EVERY_SECONDS:g} seconds")
    return address


def _of_url(text: str) -> tuple[str, int] | None:
    """Host and port of `http://HOST:PORT`, with or without `/keys`. None for anything else."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or parts.path not in {"", "/", "/keys"} or parts.query or parts.fragment:
        return None
    return (host, _HTTP_PORT if port is None else port) if is_host_and_port(parts.netloc, host) else None


def _once(host: str, port: int, options: argparse.Namespace) -> int:
    page = fetch(host, port)
    if options.output == "json":
        print(json.dumps(page, indent=2))
    else:
        print("\n".join(_table(page, Style.of(sys.stdout))))
    complete = page["issuers"] and all(issuer["keys"] for issuer in page["issuers"])
    return exit_codes.OK if complete else exit_codes.FINDINGS


def _watch(host: str, port: int, options: argparse.Namespace) -> int:
    """Print the state, then each change, until Ctrl-C. If the sidecar stops, wait for it to return."""
    style, before = Style.of(sys.stdout), None
    while True:
        try:
            page = fetch(host, port)
        except NoAnswer as problem:
            lines, page = [style.bad(str(problem))], {"issuers": [], "workers": 0}
        else:
            lines = _table(page, style) if before is None else _changes(before, page, style)
        if before is None or _essence(page) != _essence(before):
            stamp = time.strftime("%H:%M:%S")
            text = json.dumps(page) if options.output == "json" else "\n".join(f"{stamp} {line}" for line in lines)
            print(text, flush=True)
        before = page
        time.sleep(options.every)


def fetch(host: str, port: int) -> dict[str, Any]:
    """The sidecar's `/keys`. Raises NoAnswer."""
    try:
        page = get(host, port, "/keys", timeout=TIMEOUT_SECONDS, max_bytes=MAX_BYTES)
    except OSError as error:
        where = f"http://{bracketed(host)}:{port}/keys"
        raise NoAnswer(f"{where} does not answer: {error}. Is the sidecar running, with this --admin?") from error
    except (http.client.HTTPException, ValueError) as error:
        raise NoAnswer(
            f"http://{bracketed(host)}:{port} is not the admin address of a sidecar. See its --admin"
        ) from error
    if not _is_page(page):
        raise NoAnswer(
            f"http://{bracketed(host)}:{port}/keys is not a list of keys. Is that the sidecar's --admin address?"
        )
    return page


def _is_page(page: object) -> TypeGuard[dict[str, Any]]:
    """Whether every issuer has the fields that a sidecar of this version reports."""
    issuers = page.get("issuers") if isinstance(page, dict) and "workers" in page else None
    needed = {"alias", "keys", "dropped", "last_refresh", "last_result"}
    return isinstance(issuers, list) and all(isinstance(issuer, dict) and needed <= set(issuer) for issuer in issuers)


def _table(page: dict[str, Any], style: Style) -> list[str]:
    """Every issuer and every key."""
    workers = page["workers"]
    lines = [f"{workers} worker{'' if workers == 1 else 's'}"]
    for issuer in page["issuers"]:
        lines.append(f"{style.strong(issuer['alias'])}  {_refreshed(issuer, style)}")
        lines += [f"  {_key(key, workers, style)}" for key in issuer["keys"]]
        lines += [f"  {style.warning('dropped')} {each['key_id']!a}: {each['why']}" for each in issuer["dropped"]]
    return lines


def _refreshed(issuer: dict[str, Any], style: Style) -> str:
    last = issuer["last_refresh"]
    when = "never fetched" if last is None else f"fetched {_ago(last)}"
    result = issuer["last_result"]
    said = "" if result in {None, "ok"} else f", then {result}"
    text = f"{when}{said}"
    return style.good(text) if issuer["keys"] and not said else style.bad(text)


def _key(key: dict[str, Any], workers: int, style: Style) -> str:
    here = "" if key["workers"] == workers else style.warning(f"  in {key['workers']} of {workers} workers")
    return f"{key['kid']!a}  {', '.join(key['algorithms'])}  since {_ago(key['first_seen'])}{here}"


def _changes(before: dict[str, Any], now: dict[str, Any], style: Style) -> list[str]:
    """List the keys that were added and removed since the last state."""
    old, new = _held(before), _held(now)
    lines = [style.good(f"+ {place[0]} {place[1]!a} in {workers} of {now['workers']} workers")
             for place, workers in new.items() if old.get(place) != workers]  # fmt: skip
    lines += [style.bad(f"- {place[0]} {place[1]!a}") for place in old if place not in new]
    results = {issuer["alias"]: issuer["last_result"] for issuer in before["issuers"]}
    for issuer in now["issuers"]:
        if results.get(issuer["alias"]) != issuer["last_result"]:
            lines.append(f"  {issuer['alias']} {_refreshed(issuer, style)}")
    return lines


def _held(page: dict[str, Any]) -> dict[tuple[str, str, int], int]:
    """How many workers have each key: by issuer, `kid`, and the key's number among those with this `kid`."""
    return {
        (issuer["alias"], *place): key["workers"]
        for issuer in page["issuers"]
        for place, key in zip(numbered(key["kid"] for key in issuer["keys"]), issuer["keys"], strict=True)
    }


def _essence(page: dict[str, Any]) -> object:
    """The parts of a state whose change is reported. The time of the last fetch is left out."""
    return _held(page), [(issuer["alias"], issuer["last_result"]) for issuer in page["issuers"]]


def _ago(seconds: float) -> str:
    """A time of the wall clock as `2026-01-31 12:00:00 (5 min ago)`."""
    from authz.tools.explain.wording import span  # noqa: PLC0415 - loads the core, and only where there is a time to show

    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{stamp} ({span(max(0.0, time.time() - seconds))} ago)"
