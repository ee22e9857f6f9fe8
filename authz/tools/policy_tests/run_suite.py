"""Run policy tests: in this process, or through the real Envoy with the user's own routes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from authz.core.decision import Decision
from authz.core.keyset import UnusableKeySet
from authz.core.policy_lookup import PolicyLookup
from authz.core.problems import ConfigurationError, Problem
from authz.core.reasons import Denied, Reason
from authz.envoy.document import YamlDocument, read
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.settings import Settings
from authz.server import wire
from authz.server.conversation import Question
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.policy_tests.checks import Checks, Outcome, UnknownIssuer, outcome
from authz.tools.policy_tests.coverage import Reached
from authz.tools.policy_tests.suite import Case, Suite
from authz.tools.processes.machine import CannotRunError

_EXPECTS_WRONG_POLICY = frozenset({Reason.POLICY_MISSING.row.label, Reason.POLICY_INVALID.row.label})

_NOT_ASKED = Outcome("none", "", "", 0, {})

MAX_FILE_BYTES = 1024 * 1024
"""The largest token or JWKS file that a test names."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test."""

    case: Case
    problems: tuple[str, ...]
    """The differences from the expected outcome. Empty if the test passed."""
    outcome: Outcome
    seconds: float
    through_envoy: bool = False
    is_skipped: bool = False
    """Whether the test was skipped: without a policy, or for a response without a check, it needs --envoy."""


@dataclass(slots=True)
class Run:
    """The result of one file of tests."""

    suite: Suite
    results: list[Result] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    """HTTP filters of the Envoy YAML that do not run here."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A test with its credential."""

    case: Case
    headers: Mapping[str, str] = field(repr=False)


def run(suite: Suite, settings: Settings, config: str, reached: Reached, *, with_envoy: bool) -> Run:
    """Run a file of tests against the Envoy YAML of that name. What the tests met is added to `reached`.

    Raises ConfigurationError if a test cannot be run as written, CannotRunError if Envoy is missing or fails.
    """
    now = suite.now if suite.now is not None else time.time()
    checks = _checks(suite, settings)
    wrong = tuple(_wrong_policies(suite, settings))
    ready = _ready(suite, checks, now, wrong, with_envoy=with_envoy)
    done = Run(suite)
    asked = [each for each in ready if with_envoy and each.case.request is not None]
    through_envoy: dict[int, Result] = {}
    if asked:
        document = read(settings.text, config)
        through_envoy = dict(_through_envoy(asked, checks, now, done, document, reached))
    results = {each.case: through_envoy.get(id(each)) or _here(each, checks, now) for each in ready}
    for result in results.values():
        reached.note(result.outcome)
    done.results = [results.get(case) or Result(case, (), _NOT_ASKED, 0.0, is_skipped=True) for case in suite.cases]
    return done


def _needs_envoy(case: Case) -> bool:
    return case.expected.decision == "none" or case.policy is None


def _wrong_policies(suite: Suite, settings: Settings) -> Iterator[Problem]:
    """Yield a problem for every policy that is neither configured nor valid inline.

    Otherwise a misspelt name would look like a failed test. Tests that expect such a policy are left alone.
    """
    references = settings.configuration.references
    policies = PolicyLookup(references, parse_inline_policy)
    for case in suite.cases:
        if case.policy is None or case.expected.reason in _EXPECTS_WRONG_POLICY:
            continue
        try:
            policies.find(case.policy)
        except Denied as denied:
            close = get_close_matches(case.policy, references.policies, n=1)
            fix = f"Did you mean `{close[0]}`?" if close else f"There are {', '.join(references.policies)}."
            yield Problem((), denied.detail, fix, location=case.policy_location)


def _checks(suite: Suite, settings: Settings) -> Checks:
    found, documents = [], {}
    for alias, file in suite.jwks.items():
        try:
            documents[alias] = _content(suite, file)
        except OSError as error:
            found.append(_problem(suite, f"{file} cannot be read: {error.strerror or error}", "Name a JWKS file."))
    if found:
        raise ConfigurationError(tuple(found))
    try:
        return Checks(settings, documents)
    except UnusableKeySet as error:
        raise ConfigurationError((_problem(suite, f"jwks: {error}", "Name JWKS files by issuer alias."),)) from error


def _ready(suite: Suite, checks: Checks, now: float, wrong: tuple[Problem, ...], *, with_envoy: bool) -> list[_Ready]:
    """Every test with the token it brings. Raises ConfigurationError with `wrong` and all that cannot be run."""
    ready, found = [], list(wrong)
    for case in suite.cases:
        if _needs_envoy(case) and not with_envoy:
            continue
        try:
            ready.append(_Ready(case, dict(case.headers) | _authorization(suite, case, checks, now)))
        except UnknownIssuer as error:
            found.append(Problem((), str(error), "Write `issuer: ALIAS` in its token.", location=case.location))
        except (OSError, ValueError) as error:
            found.append(
                Problem((), f"its token cannot be read: {error}", "Name a file with one token.", location=case.location)
            )
    if found:
        raise ConfigurationError(tuple(found))
    return ready


def _authorization(suite: Suite, case: Case, checks: Checks, now: float) -> dict[str, str]:
    bearer = case.bearer
    if bearer is None:
        return {} if case.authorization is None else {"authorization": case.authorization}
    if bearer.minted is not None:
        return {"authorization": f"Bearer {checks.mint(bearer.issuer, bearer.minted, now)}"}
    text = bearer.text or _content(suite, bearer.file).decode("ascii").strip()
    return {"authorization": f"Bearer {text}"}


def _content(suite: Suite, file: str) -> bytes:
    with (Path(suite.file).parent / file).open("rb") as stream:
        return stream.read(MAX_FILE_BYTES)


def _problem(suite: Suite, problem: str, fix: str) -> Problem:
    location = replace(suite.cases[0].location, line=1, column=1)
    return Problem((), problem, fix, location=location)


def _here(ready: _Ready, checks: Checks, now: float) -> Result:
    """One test in this process."""
    case, request = ready.case, ready.case.request or HttpRequest("GET", "", "/")
    started = time.perf_counter()
    met = checks.ask(Question(case.policy, request.method, request.path, ready.headers), now)
    return Result(case, tuple(_problems(case, met)), met, time.perf_counter() - started)


def _through_envoy(
    asked: list[_Ready], checks: Checks, now: float, done: Run, document: YamlDocument, reached: Reached
) -> Iterator[tuple[int, Result]]:
    """Every test that names a request, one after the other."""
    from authz.tools.envoy_run.envoy_process import EnvoyRun, Reply, run_envoy  # noqa: PLC0415 - only where Envoy is asked

    last: list[tuple[Decision, bytes]] = []

    def sidecar(message: bytes) -> bytes:
        last.append(checks.answer(message, now))
        return last[-1][1]

    def one(each: _Ready, run: EnvoyRun) -> Result:
        last.clear()
        started = time.perf_counter()
        request = each.case.request or HttpRequest("GET", "", "/")
        reply = run.ask(replace(request, headers=each.headers))
        seconds = time.perf_counter() - started
        met = _met(reply, last)
        problems = [*_problems(each.case, met), *_other_policy(each.case, reply)]
        return Result(each.case, tuple(problems), met, seconds, through_envoy=True)

    def _met(reply: Reply, decided: list[tuple[Decision, bytes]]) -> Outcome:
        headers = reply.upstream_headers if reply.reached_upstream else reply.headers
        if not decided:
            return Outcome("none", "", "", reply.status, headers, reply.body)
        met = outcome(*decided[-1])
        return replace(met, status=reply.status, headers=headers, body=reply.body)

    with run_envoy(document, sidecar) as run:
        for each in asked:
            try:
                yield id(each), one(each, run)
            except CannotRunError as error:
                yield id(each), Result(each.case, (str(error),), _NOT_ASKED, 0.0, through_envoy=True)
    done.left_out = run.left_out
    reached.note_routes(run.routes, {trace.route for trace in run.traces if trace})


def _other_policy(case: Case, reply: object) -> Iterator[str]:
    question = getattr(reply, "question", None)
    if case.policy is None:
        return
    if question is None:
        yield f"Envoy does not ask about this request, the test expects the policy {case.policy}"
    elif (named := wire.parse(question).policy) != case.policy:
        yield f"the route names the policy {named or '(none)'}, the test expects {case.policy}"


def _problems(case: Case, met: Outcome) -> Iterator[str]:
    """List the differences from the expected outcome."""
    expected = case.expected
    why = f" ({met.detail})" if met.detail else ""
    if expected.reason and expected.reason != met.reason:
        yield f"reason is {met.reason or 'none: Envoy did not ask'}, expected {expected.reason}{why}"
    if expected.decision and expected.decision != met.decision:
        yield f"decision is {met.decision}, expected {expected.decision}{why}"
    if expected.status is not None and expected.status != met.status:
        yield f"status is {met.status}, expected {expected.status}"
    for name, value in expected.headers.items():
        found = met.headers.get(name)
        if found != value:
            shown = "not there" if found is None else repr(found)
            yield f"header {name} is {shown}, expected {'none' if value is None else repr(value)}"
