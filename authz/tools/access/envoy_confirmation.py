"""Send every counterexample through real Envoy with both files, with tokens of throw-away keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authz.core.reasons import Denied
from authz.envoy.document import read
from authz.tools.access.loaded_file import LoadedFile
from authz.tools.access.region_changes import RegionChange
from authz.tools.access.relation import Example
from authz.tools.access.sample_token import NOW
from authz.tools.envoy_run.envoy_process import AccessLogEntry, run_files
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.policy_tests.checks import Checks
from authz.tools.policy_tests.mint import Token

UNREADABLE_TOKEN = "not.a.token"  # noqa: S105 - no secret

_USUAL = ("iss", "sub", "iat", "exp", "aud", "client_id", "token_use", "auth_time")


_FAILURES = ("upstream", "ext_authz_error", "no_healthy_upstream", "no_cluster", "cluster_not_found", "overload")
"""The beginnings of Envoy's RESPONSE_CODE_DETAILS if nothing refused the request and the run itself failed."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What Envoy did with one counterexample."""

    change: RegionChange
    old: AccessLogEntry | None
    """Envoy's access log entry with OLD. None if it wrote none."""
    new: AccessLogEntry | None

    @property
    def holds(self) -> bool:
        """Whether OLD refuses the request and NEW forwards it. A run that fails refuses nothing."""
        is_refused = self.old is not None and bool(self.old.details) and not self.old.details.startswith(_FAILURES)
        return is_refused and not _is_forwarded(self.old) and _is_forwarded(self.new)

    def __str__(self) -> str:
        if self.holds:
            return "confirmed: OLD refuses, NEW forwards"
        old, new = (each.details if each is not None else "no response" for each in (self.old, self.new))
        return f"NOT CONFIRMED: OLD {old}, NEW {new}"


def _is_forwarded(entry: AccessLogEntry | None) -> bool:
    return entry is not None and entry.details == "via_upstream"


Compared = tuple[LoadedFile, LoadedFile, Sequence[RegionChange]]
"""OLD, NEW and their differences."""


def confirm(old: LoadedFile, new: LoadedFile, found: Sequence[RegionChange]) -> list[Confirmation]:
    """Confirm each widening that has a request and credentials. Raises CannotRunError if Envoy cannot run."""
    return confirm_all([(old, new, found)])


def confirm_all(compared: Sequence[Compared]) -> list[Confirmation]:
    """Confirm the widenings of several comparisons at once: starting Envoy takes longer than asking it.

    Every file keeps its own listener, routes and sidecar, as if it ran alone.
    """
    shown = [(old, new, [each for each in found if _can_be_shown(each)]) for old, new, found in compared]
    sides = [((_Side(old), _Side(new)), found) for old, new, found in shown if found]
    if not sides:
        return []
    files = [(side.document, side.answer) for pair, _found in sides for side in pair]
    with run_files(files) as runs:
        for run, (side, found) in zip(runs, ((side, found) for pair, found in sides for side in pair), strict=True):
            for change in found:
                run.ask(side.request(change))
    # The access logs are complete when Envoy has ended.
    return [
        Confirmation(change, old, new)
        for index, (_pair, found) in enumerate(sides)
        for change, old, new in zip(found, runs[2 * index].traces, runs[2 * index + 1].traces, strict=True)
    ]


def _can_be_shown(change: RegionChange) -> bool:
    return change.relation.wider is not None and change.example() is not None


class _Side:
    """OLD or NEW: its routes for Envoy, and a sidecar with throw-away keys."""

    def __init__(self, loaded: LoadedFile) -> None:
        self._configuration = loaded.configuration
        self._checks = Checks(loaded.settings)
        self.document = read(loaded.text, loaded.file)

    def answer(self, message: bytes) -> bytes:
        """The sidecar's response to one CheckRequest."""
        return self._checks.answer(message, NOW)[1]

    def request(self, change: RegionChange) -> HttpRequest:
        """The example request of a widening, with its token."""
        request, example = change.example(), change.relation.wider
        if request is None or example is None:
            raise ValueError("only a widening with an example can be confirmed")
        headers = dict(request.headers)
        credential = self._credential(example)
        if credential is not None:
            headers["authorization"] = f"Bearer {credential}"
        return HttpRequest(request.method, request.host, request.path, headers=headers)

    def _credential(self, example: Example) -> str | None:
        """The token, signed with the key that this run trusts. A token of an unknown issuer is unreadable."""
        if example.token is None:
            return None if example.kind == "none" else UNREADABLE_TOKEN
        token = example.token
        try:
            issuer = self._configuration.issuers.find(token.claims["iss"])
        except Denied:
            return UNREADABLE_TOKEN
        claims = {**dict.fromkeys(_USUAL), **token.claims}
        minted = Token(claims, header={"typ": token.type}, userinfo=token.userinfo, is_refused=token.userinfo_refuses)
        return self._checks.mint(issuer.alias, minted, NOW)
