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
from authz.tools.envoy_run.envoy_process import run_envoy
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.policy_tests.checks import Checks
from authz.tools.policy_tests.mint import Token

UNREADABLE_TOKEN = "not.a.token"  # noqa: S105 - no secret

_USUAL = ("iss", "sub", "iat", "exp", "aud", "client_id", "token_use", "auth_time")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What Envoy did with one counterexample."""

    change: RegionChange
    old_forwards: bool
    new_forwards: bool

    @property
    def holds(self) -> bool:
        """Whether OLD refuses the request and NEW forwards it."""
        return self.new_forwards and not self.old_forwards


def confirm(old: LoadedFile, new: LoadedFile, found: Sequence[RegionChange]) -> list[Confirmation]:
    """Confirm each widening that has a request and credentials. Raises CannotRunError if Envoy cannot run."""
    shown = [each for each in found if each.relation.wider is not None and each.example() is not None]
    if not shown:
        return []
    before, after = _forwarded(old, shown), _forwarded(new, shown)
    return [Confirmation(*each) for each in zip(shown, before, after, strict=True)]


def _forwarded(loaded: LoadedFile, shown: Sequence[RegionChange]) -> list[bool]:
    checks = Checks(loaded.settings)
    with run_envoy(read(loaded.text, loaded.file), lambda message: checks.answer(message, NOW)[1]) as run:
        return [run.ask(_request(each, loaded, checks)).reached_upstream for each in shown]


def _request(change: RegionChange, loaded: LoadedFile, checks: Checks) -> HttpRequest:
    request, example = change.example(), change.relation.wider
    if request is None or example is None:
        raise ValueError("only a widening with an example can be confirmed")
    headers = dict(request.headers)
    credential = _credential(example, loaded, checks)
    if credential is not None:
        headers["authorization"] = f"Bearer {credential}"
    return HttpRequest(request.method, request.host, request.path, headers=headers)


def _credential(example: Example, loaded: LoadedFile, checks: Checks) -> str | None:
    """The token, signed with the key that this run trusts. A token of an unknown issuer is unreadable."""
    if example.token is None:
        return None if example.kind == "none" else UNREADABLE_TOKEN
    token = example.token
    try:
        issuer = loaded.configuration.issuers.find(token.claims["iss"])
    except Denied:
        return UNREADABLE_TOKEN
    claims = {**dict.fromkeys(_USUAL), **token.claims}
    minted = Token(claims, header={"typ": token.type}, userinfo=token.userinfo, is_refused=token.userinfo_refuses)
    return checks.mint(issuer.alias, minted, NOW)
