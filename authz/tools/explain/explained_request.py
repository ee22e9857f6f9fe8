"""The request to explain: a credential, and a policy named by the operator or by Envoy's own route match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from authz.core.decision import Decision
from authz.core.key_lookup import KeyLookup
from authz.core.reasons import Reason
from authz.envoy.document import YamlDocument, read
from authz.envoy.settings import Settings
from authz.server import wire
from authz.server.check_response import Renderer
from authz.server.conversation import Question
from authz.server.served_rules import ServedRules
from authz.sources.background import Background
from authz.sources.userinfo_source import UserinfoSource
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.fixed_sources import FetchedKeys, FetchedUserinfo, NoUserinfo, PinnedKeys, read_revocations

Patience = Callable[[str], AbstractContextManager[None]]
"""Reports progress if a step is slow."""


@dataclass(frozen=True, slots=True)
class Met:
    """The route and policy that the request matched."""

    message: bytes | None
    """The CheckRequest; None if Envoy does not check this request."""
    said: str = ""
    is_forwarded: bool = False


@dataclass(slots=True)
class Held:
    """The rules with the loaded keys, and the reasons for missing keys."""

    rules: ServedRules
    sources: Mapping[str, FetchedKeys | PinnedKeys]
    """By alias."""
    note: str
    """The parts left out of the explanation. Empty if it is complete."""

    def key_problem(self, alias: str) -> str:
        """Return why the keys of an issuer are missing. Empty if they were found or not needed."""
        return self.sources[alias].problem if alias in self.sources else ""


@dataclass(frozen=True, slots=True)
class ExplainedRequest:
    """One request to be explained."""

    authorization: str | None = field(repr=False)
    policy: str | None
    request: HttpRequest | None
    jwks: bytes | None
    now: float

    def meet(self, settings: Settings) -> Met:
        """The CheckRequest about it.

        Raises ConfigurationError or CannotRunError if Envoy is needed and cannot run these routes.
        """
        request = self.request or HttpRequest("GET", "", "/")
        headers = dict(request.headers)
        if self.authorization is not None:
            headers["authorization"] = self.authorization
        if self.policy is not None:
            return Met(wire.write_request(Question(self.policy, request.method, request.path, headers)))
        asked = HttpRequest(request.method, request.host, request.path, request.port, headers)
        return _run_in_envoy(asked, read(settings.text, "the Envoy YAML"), settings)

    @contextmanager
    def rules(self, settings: Settings, patience: Patience) -> Iterator[Held]:
        """Return the rules of the decision, with the keys of the token's issuer."""
        issuers = settings.configuration.issuers.by_alias
        with ExitStack() as stack:
            sources: dict[str, FetchedKeys | PinnedKeys] = {}
            userinfo: dict[str, FetchedUserinfo | NoUserinfo] = dict.fromkeys(issuers, NoUserinfo())
            if self.jwks is not None:
                sources = {alias: PinnedKeys(self.jwks, issuer) for alias, issuer in issuers.items()}
            else:
                background = Background()
                stack.callback(background.stop)

                def say(alias: str) -> None:
                    stack.enter_context(patience(f"fetching the keys of {alias}"))

                for alias, issuer in issuers.items():
                    live = sources[alias] = FetchedKeys(issuer, background, say)
                    stack.callback(live.close)
                    if issuer.userinfo is not None:
                        asked = UserinfoSource(alias, issuer.userinfo, background, log=_say_nothing)
                        userinfo[alias] = FetchedUserinfo(asked)
            revocations, note = read_revocations(settings.configuration.revocations_file)
            rules = ServedRules.of(settings.configuration, settings.realm, KeyLookup(sources), revocations, userinfo)
            yield Held(rules, sources, note)


def _say_nothing(_event: str, _fields: Mapping[str, object]) -> None:
    """Discard the log: the explanation contains its facts."""


def _run_in_envoy(request: HttpRequest, document: YamlDocument, settings: Settings) -> Met:
    from authz.tools.envoy_run.envoy_process import run_envoy  # noqa: PLC0415 - only where Envoy is asked

    refused = Renderer(settings.realm, settings.configuration.forward).render(Decision(Reason.DENIED))
    with run_envoy(document, lambda _message: refused) as run:
        reply = run.ask(request)
    trace = run.traces[0]
    route = next((each for each in run.routes if trace and each.name == trace.route), None)
    details = trace.details if trace else ""
    where = f"route {route.name.partition(' ')[0]} at line {route.location.line}" if route else "no route"
    without = f", without {', '.join(run.left_out)}" if run.left_out else ""
    if reply.question is not None:
        named = wire.parse(reply.question).policy or "no policy"
        return Met(reply.question, f"Envoy matches {where}{without}, and names {named}.")
    if reply.reached_upstream:
        said = f"Envoy forwards this request without asking: {where}{without} has no ext_authz check."
        return Met(None, said, is_forwarded=True)
    return Met(
        None, f"Envoy answers {reply.status} itself and asks nobody: {where}, {details or 'no details'}{without}."
    )


def parse_moment(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC if it names no zone) or of a number. Raises ValueError."""
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else _iso(text)
    except (ValueError, OverflowError) as error:
        raise ValueError("--at: write a time such as 2026-01-31T12:00:00Z, or seconds since 1970") from error


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
