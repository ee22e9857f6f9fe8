"""A file of policy tests: requests and their expected outcomes. Every problem is reported with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authz.core.mapping_reader import MappingReader, describe
from authz.core.problems import ConfigurationError, Location, Problem
from authz.core.reasons import Reason
from authz.envoy.bootstrap import located
from authz.envoy.document import YamlDocument, read
from authz.tools.envoy_run.http_request import HttpRequest, parse_request
from authz.tools.policy_tests.mint import LIFETIME_SECONDS, Token

MAX_AGE_SECONDS = 100 * 365 * 86_400.0

REFUSED = "refused"
"""The value of `userinfo` if the issuer refuses the token."""

DECISIONS = ("allow", "deny", "error", "none")
REASONS = tuple(reason.row.label for reason in Reason)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that a test brings: minted, or as it was written."""

    issuer: str | None = None
    minted: Token | None = None
    text: str = field(default="", repr=False)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected outcome of a request. Absent fields are not compared."""

    decision: str = ""
    reason: str = ""
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """By lower-case name; None if the header must be absent."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One test. Compared by identity: two of the same content are two lines."""

    name: str
    location: Location
    policy: str | None
    """A policy's name or an inline policy. With `request`, the policy its route must name."""
    policy_location: Location
    """The position of `policy`, or of the test if it names none."""
    request: HttpRequest | None
    headers: Mapping[str, str]
    """Request headers beside Authorization, by lower-case name."""
    bearer: Bearer | None
    authorization: str | None = field(repr=False)
    """A whole Authorization header instead of a bearer."""
    expected: Expected


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of tests."""

    file: str
    envoy_config: str
    """The path as written, relative to this file. Empty if absent."""
    now: float | None
    jwks: Mapping[str, str]
    """JWKS files by issuer alias, for real tokens."""
    cases: tuple[Case, ...]


def read_suite(text: str, file: str) -> Suite:
    """Read a file of tests. Raises ConfigurationError with every problem."""
    document = read(text, file)
    found: list[Problem] = []
    suite = _Reading(document, file).suite(MappingReader(document.data, (), found), found)
    if found:
        raise ConfigurationError(located(tuple(found), document, ()))
    return suite


class _Reading:
    """One reading of one file."""

    def __init__(self, document: YamlDocument, file: str) -> None:
        self._document = document
        self._file = file
        self._bearers: dict[str, Bearer] = {}

    def suite(self, section: MappingReader, found: list[Problem]) -> Suite:
        envoy_config = section.text("envoy_config")
        now = _moment(section)
        jwks = _texts(section.section("jwks")) if "jwks" in section else {}
        if "tokens" in section:
            for name, each in section.named("tokens", bool, "not empty"):
                self._bearers[name] = self._bearer(each)
        if "tests" not in section:
            section.wrong((), "tests is missing", "Write `tests:` with one `- ` entry per test.")
        cases = tuple(self._case(each, found) for each in section.each("tests"))
        section.finish()
        return Suite(self._file, envoy_config, now, jwks, cases)

    def _case(self, section: MappingReader, found: list[Problem]) -> Case:
        request = _request(section)
        policy = section.text("policy") or None
        if policy is None and request is None:
            section.wrong((), "neither policy nor request is there", "Write `policy: NAME`, or `request: METHOD URL`.")
        case = Case(
            name=section.text("name") or "unnamed",
            location=self._document.locate(section.path),
            policy=policy,
            policy_location=self._document.locate((*section.path, "policy")),
            request=request,
            headers=_texts(section.section("headers"), lower=True) if "headers" in section else {},
            bearer=self._brought(section, found),
            authorization=section.text("authorization") or None,
            expected=_expected(section),
        )
        if "name" not in section:
            section.wrong((), "name is missing", "Say in a sentence what the test is about.")
        if case.bearer is not None and case.authorization is not None:
            section.wrong(("authorization",), "token and authorization are both set", "Keep one of them.")
        section.finish()
        return case

    def _brought(self, section: MappingReader, found: list[Problem]) -> Bearer | None:
        """The token of a test: a name under `tokens`, or an inline token."""
        if "token" not in section:
            return None
        value = section.raw("token")
        if isinstance(value, Mapping):
            return self._bearer(MappingReader(value, (*section.path, "token"), found))
        if not isinstance(value, str) or value not in self._bearers:
            known = ", ".join(self._bearers) or "none"
            fix = f"Write a mapping such as `{{ claims: {{ scope: a }} }}`, or a name under `tokens` (there: {known})."
            section.wrong(("token",), f"no token is called {describe(value)}", fix)
            return None
        return self._bearers[value]

    def _bearer(self, section: MappingReader) -> Bearer:
        text, file = section.text("text"), section.text("file")
        if text or file:
            section.finish()
            return Bearer(text=text, file=file)
        said = section.raw("userinfo")
        is_refused = said == REFUSED
        token = Token(
            claims=_plain(section, "claims"),
            age_seconds=section.seconds("age", 0, 0, MAX_AGE_SECONDS) - section.seconds("ahead", 0, 0, MAX_AGE_SECONDS),
            lifetime_seconds=section.seconds("lifetime", LIFETIME_SECONDS, 0, MAX_AGE_SECONDS),
            header=_plain(section, "header"),
            is_forged=section.flag("forged"),
            userinfo=None if said is None or is_refused else _plain(section, "userinfo"),
            is_refused=is_refused,
            scopes=tuple(sorted(section.texts("scopes"))),
            groups=tuple(sorted(section.texts("groups"))),
            client=section.text("client"),
        )
        issuer = section.text("issuer") or None
        section.finish()
        return Bearer(issuer=issuer, minted=token)


def _expected(section: MappingReader) -> Expected:
    """`expect: REASON`, or a mapping of decision, reason, status and headers."""
    if "expect" not in section:
        section.wrong((), "expect is missing", "Write `expect: ok`, or another reason (see `authz reasons`).")
        return Expected()
    value = section.raw("expect")
    if not isinstance(value, Mapping):
        return Expected(reason=section.one_of("expect", REASONS, ""))
    fields = section.section("expect")
    expected = Expected(
        decision=fields.one_of("decision", DECISIONS, ""),
        reason=fields.one_of("reason", REASONS, ""),
        status=_status(fields),
        headers=_headers(fields),
    )
    if not value:
        fields.wrong((), "nothing is expected", "Write a reason, a decision or a status.")
    fields.finish()
    return expected


def _status(section: MappingReader) -> int | None:
    value = section.raw("status")
    if "status" not in section:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 100 <= value <= 599:  # noqa: PLR2004 - RFC 9110 15
        section.wrong(("status",), f"an HTTP status is needed, not {describe(value)}", "Write `status: 403`, say.")
        return None
    return value


def _headers(section: MappingReader) -> dict[str, str | None]:
    if "headers" not in section:
        return {}
    fields = section.section("headers")
    return {name.lower(): None if fields.raw(name) is None else fields.text(name) for name in fields.names}


def _request(section: MappingReader) -> HttpRequest | None:
    text = section.text("request")
    if not text:
        return None
    try:
        return parse_request(text)
    except ValueError as error:
        section.wrong(("request",), str(error), "It is written as a client would send it.")
        return None


def _texts(section: MappingReader, *, lower: bool = False) -> dict[str, str]:
    return {name.lower() if lower else name: section.text(name) for name in section.names}


def _plain(section: MappingReader, name: str) -> dict[str, Any]:
    """A mapping whose values are taken as they are."""
    if name not in section:
        return {}
    value = section.raw(name)
    if isinstance(value, Mapping):
        return dict(value)
    section.wrong((name,), f"a mapping is needed here, not {describe(value)}", f"Write `{name}: {{ name: value }}`.")
    return {}


def _moment(section: MappingReader) -> float | None:
    """`now: 2026-01-31T12:00:00Z`, or seconds since 1970."""
    if "now" not in section:
        return None
    value = section.raw("now")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        fix = 'Write `now: "2026-01-31T12:00:00Z"`, or seconds since 1970.'
        section.wrong(("now",), f"a time is needed, not {describe(value)}", fix)
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
