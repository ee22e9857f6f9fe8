"""The part of the demo's page with a button for each route and caller, and the results side by side.

Each button sends one real request through Envoy. Tokens stay in this process; the page never shows one.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from urllib.parse import parse_qs

from authz.tools.demo import expired
from authz.tools.demo.client import HttpClient
from authz.tools.demo.login import hosted_token, initiate_auth, tokens
from authz.tools.demo.provision import Pool
from authz.tools.demo.proxy import Place
from authz.tools.processes.children import Child

ROUTES = ("GET /healthz", "GET /", "GET /orders", "POST /orders", "GET /admin")
"""Method and path: one for each policy of the shipped configuration."""

CALLERS: Mapping[str, str] = MappingProxyType(
    {
        "hosted": "{staff}, hosted login",
        "granted": "{reader}, API login, granted orders/read",
        "ungranted": "{newcomer}, API login, no group",
        "none": "no token",
        "forged": "no token, forged identity headers",
        "tampered": "{reader}, token changed after signing",
        "expired": "build job of the issuer ci, expired token",
    }
)
_EVERYBODY = "everybody"
_FORGED = {"x-auth-subject": "root", "x-auth-username": "root", "x-auth-scopes": "orders/write"}
_LOG_SECONDS = 2.0
"""How long to look for the log line of a refusal. The log is written every 20 ms."""

_LOG_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and its result."""

    caller: str
    decision: str
    status: int
    reason: str
    challenge: str
    log_line: str
    """The sidecar's line. Empty if there is none: forwarded requests are logged at level debug."""


class TryOut:
    """Sends the requests of the buttons."""

    def __init__(self, place: Place, pool: Pool) -> None:
        self._place = place
        self._pool = pool
        self.sidecar: Child | None = None
        """Set when it runs. Its log has the lines."""

    def page(self, query: str) -> str:
        """Return the buttons, and the results of the pressed one. A query that names no button has no results."""
        pressed = parse_qs(query).get("try", [""])[0]
        caller, _, route = pressed.partition(" ")
        callers = tuple(CALLERS) if caller == _EVERYBODY else (caller,) if caller in CALLERS else ()
        attempts = [self.send(each, route) for each in callers] if route in ROUTES else []
        return _buttons(self._names) + (_results(route, attempts, self._names) if attempts else "")

    def send(self, caller: str, route: str) -> Attempt:
        """Send one request through Envoy."""
        method, _, path = route.partition(" ")
        token = self._tokens.get(caller, "")
        headers = {"accept": "application/json"} | (_FORGED if caller == "forged" else {})
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        exchange = HttpClient().ask(method, self._place.home + path, headers, b"{}" if method == "POST" else b"")
        answer = exchange.json()
        refused = "reason" in answer
        return Attempt(
            caller=caller,
            decision="refused" if exchange.status >= 400 else "forwarded",  # noqa: PLR2004 - RFC 9110 section 15.5
            status=exchange.status,
            reason=str(answer.get("reason", "")),
            challenge=exchange.challenge,
            log_line=self._log_line(str(answer.get("request_id", ""))) if refused else "",
        )

    @cached_property
    def _names(self) -> dict[str, str]:
        people = {name: getattr(self._pool, name).name for name in ("staff", "reader", "newcomer")}
        return {caller: text.format(**people) for caller, text in CALLERS.items()}

    @cached_property
    def _tokens(self) -> dict[str, str]:
        place, pool = self._place, self._pool
        granted, ungranted = (
            tokens(initiate_auth(place.cognito, pool.api_client_id, user))[0] for user in (pool.reader, pool.newcomer)
        )
        callback, scope = f"{place.home}/oauth2/callback", "openid orders/read"
        header, payload, signature = granted.split(".")
        return {
            "hosted": hosted_token(place.cognito, pool, callback, pool.staff, scope),
            "granted": granted,
            "ungranted": ungranted,
            "tampered": f"{header}.{payload}.{'B' if signature.startswith('A') else 'A'}{signature[1:]}",
            "expired": expired.token(place.directory),
        }

    def _log_line(self, request_id: str) -> str:
        """Return the line with this request id. The log is written a little after the response."""
        until = time.monotonic() + _LOG_SECONDS
        while self.sidecar is not None and request_id and time.monotonic() < until:
            lines = self.sidecar.log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace").splitlines()
            for line in reversed(lines):
                if request_id in line:
                    return _essential(line)
            time.sleep(0.02)
        return ""


def _essential(line: str) -> str:
    """Return the line without empty fields."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    return json.dumps({name: value for name, value in fields.items() if value != ""})


def _buttons(names: Mapping[str, str]) -> str:
    callers = (*names.items(), (_EVERYBODY, "everybody, side by side"))
    rows = "".join(
        f'<tr><th scope="row">{html.escape(text)}</th>{"".join(_button(caller, text, route) for route in ROUTES)}</tr>'
        for caller, text in callers
    )
    head = "".join(f'<th scope="col"><code>{route}</code></th>' for route in ROUTES)
    return (
        '<h2 id="try">Try each route as each caller</h2>'
        f'<form action="/#results"><table aria-labelledby="try"><tr><td></td>{head}</tr>{rows}</table></form>'
    )


def _button(caller: str, text: str, route: str) -> str:
    label = f"Send {route}, {html.escape(text)}"
    return f'<td><button name="try" value="{caller} {route}" aria-label="{label}">Send</button></td>'


def _results(route: str, attempts: Sequence[Attempt], names: Mapping[str, str]) -> str:
    titles = ("caller", "decision", "status", "reason", "challenge", "log line of authz")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(names[each.caller])}</th>'
        + "".join(
            f"<td>{html.escape(str(value))}</td>"
            for value in (
                each.decision,
                each.status,
                each.reason or "-",
                each.challenge or "-",
                each.log_line or "none at level info",
            )
        )
        + "</tr>"
        for each in attempts
    )
    title = f'<h2 id="results"><code>{route}</code></h2>'
    return f'{title}<table class="results" aria-labelledby="results"><tr>{head}</tr>{rows}</table>'
