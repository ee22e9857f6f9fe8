"""Fetch each issuer's keys as `serve` does, and report what the responses show: keys, time, certificate, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from authz.core import keyset
from authz.core.configuration import Configuration
from authz.core.egress_proxy import EgressProxy
from authz.core.issuers import Issuer, KeyLocation, UserinfoLocation
from authz.core.policy import Policy
from authz.core.problems import Path, Problem
from authz.core.read_issuer import MAX_LEEWAY_SECONDS
from authz.core.url import Url, discovery_url
from authz.sources import discovery
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed, FetchResult, fetchable
from authz.sources.key_documents import HttpsClient, documents_of
from authz.sources.proxy_choice import proxy_for
from authz.sources.response_facts import ResponseFacts
from authz.tools.startup_check.entry import Entry, Level

CERTIFICATE_DAYS = 14
"""A certificate that ends earlier is a warning. Certificates that are renewed automatically have 30 days left then."""

_DAY = 86_400.0
_ANSWERS_WITHOUT_TOKEN = frozenset({400, 401, 403})
"""The statuses of a userinfo endpoint for a request without a token (RFC 6750 section 3.1)."""

_FIXES = {
    FetchResult.TIMEOUT: "Check that a firewall or network policy lets this machine reach the host, and see `proxy`.",
    FetchResult.DNS_FAILED: "Check the spelling of the host and this machine's name server (/etc/resolv.conf).",
    FetchResult.CONNECT_FAILED: "Check that the host runs and that this machine may reach it, and see `proxy`.",
    FetchResult.PROXY_FAILED: "Check `proxy` or HTTPS_PROXY, and that the proxy allows CONNECT to this host.",
    FetchResult.TLS_FAILED: (
        "If an own authority signed the certificate, write `ca_file`. If it is expired or not yet valid, check this "
        "machine's clock, then renew it."
    ),
    FetchResult.URL_REFUSED: "Write an https URL.",
    FetchResult.REDIRECT: "Write the URL that it redirects to, if you trust that host.",
    FetchResult.HTTP_STATUS: "Check the URL: the host answers, and has no document there.",
    FetchResult.ISSUER_MISMATCH: "Write the issuer exactly as the document has it, or configure the endpoint's URL.",
    FetchResult.NO_USABLE_KEY: "Check `algorithms` against the `alg` of the published keys.",
}
_OTHER_FIX = "Open the URL with curl and compare."
_HTML_FIX = "A captive portal or a proxy's login page may be in between: open the URL with curl from this machine."
_CLOCK_FIX = "Synchronise this machine's clock (NTP). If only this issuer differs, its own clock is wrong."


async def entries(
    configuration: Configuration, policies: tuple[Policy, ...], environment: Environment
) -> tuple[Entry, ...]:
    """Fetch from all issuers at once. The paths of the problems are relative to `authz`. Never raises FetchFailed."""
    issuers = configuration.issuers.by_alias.values()
    found = await asyncio.gather(*(_Trial(issuer, environment).entries(policies) for issuer in issuers))
    return tuple(entry for each in found for entry in each)


class _Trial:
    """The fetches of one issuer."""

    def __init__(self, issuer: Issuer, environment: Environment) -> None:
        self._issuer = issuer
        self._wall = environment.clock.wall
        self._seen: dict[tuple[str, str, int], tuple[ResponseFacts, float]] = {}
        """The last response of each host, and the local time when it arrived."""
        self._environment = replace(environment, observe=self._observe)

    def _observe(self, url: Url, facts: ResponseFacts) -> None:
        self._seen[url.origin] = facts, self._wall()

    async def entries(self, policies: tuple[Policy, ...]) -> list[Entry]:
        keys = self._issuer.keys
        places = [keys, *(replace(keys, jwks_uri=uri, discovery="", fallbacks=()) for uri in keys.fallbacks)]
        found = [await self._keys_entry(replace(place, fallbacks=())) for place in places]
        userinfo = self._issuer.userinfo
        if userinfo is not None and any(_asks(policy, self._issuer) for policy in policies):
            found.append(await self._userinfo_entry(userinfo))
        return [*found, *self._fact_entries()]

    async def _keys_entry(self, location: KeyLocation) -> Entry:
        source = location.jwks_file or location.jwks_uri or discovery_url(location.discovery)
        subject, began = f"issuer {self._issuer.alias}", time.monotonic()
        (document,) = documents_of(location, self._environment)
        try:
            async with asyncio.timeout(self._environment.deadline_seconds):
                keys = keyset.parse(
                    await document.read(), self._issuer.algorithms, distinct_kids=location.distinct_kids
                )
        except (FetchFailed, keyset.UnusableKeySet, TimeoutError) as error:
            return self._failure(subject, source, _as_failure(error, self._environment), began)
        count, seconds = len(keys.every_key), time.monotonic() - began
        detail = f"{count} key{'s' if count != 1 else ''} from {source}{self._through(source)}"
        return Entry(subject, Level.OK, detail, seconds=seconds)

    async def _userinfo_entry(self, location: UserinfoLocation) -> Entry:
        """Whether the endpoint exists. It is asked without a token, so it should refuse."""
        subject, began = f"userinfo {self._issuer.alias}", time.monotonic()
        client = HttpsClient(location.ca_file, BlockingWorker(), self._environment, location.proxy)
        source = location.uri or discovery_url(location.discovery)
        try:
            async with asyncio.timeout(self._environment.deadline_seconds):
                if not location.uri:
                    described = await discovery.find(location.discovery, client.get)
                    endpoint = discovery.userinfo_url(described, location.discovery)
                else:
                    endpoint = fetchable(location.uri)
                source = f"{endpoint.scheme}://{endpoint.authority}{endpoint.target}"
                await client.get(endpoint)
        except (FetchFailed, TimeoutError) as error:
            failure = _as_failure(error, self._environment)
            if failure.status not in _ANSWERS_WITHOUT_TOKEN:
                return self._failure(subject, source, failure, began)
        detail = f"{source} answers{self._through(source)}"
        return Entry(subject, Level.OK, detail, seconds=time.monotonic() - began)

    def _failure(self, subject: str, source: str, failure: FetchFailed, began: float) -> Entry:
        is_page = any(facts.is_html for facts, _ in self._seen.values())
        detail = f"{source:.300}{self._through(source)}: {failure.result.value}: {failure.detail}"
        message = f"{detail}. The response is a web page (HTML)" if is_page else detail
        fix = _HTML_FIX if is_page else _FIXES.get(failure.result, _OTHER_FIX)
        problem = Problem(self._path(subject), message, fix)
        return Entry(subject, Level.FAILURE, problem=problem, seconds=time.monotonic() - began)

    def _path(self, subject: str) -> Path:
        """The field that the operator can change. The document's nearest ancestor counts if it is not written."""
        keys, place = self._issuer.keys, ("issuers", self._issuer.alias)
        if subject.startswith("userinfo"):
            return (*place, "userinfo_uri")
        if keys.jwks_file:
            return (*place, "jwks_file")
        if keys.discovery:
            return (*place, "issuer")
        return (*place, "user_pool_id" if self._issuer.profile.name == "cognito" else "jwks_uri")

    def _through(self, source: str) -> str:
        proxy = self._proxy(source)
        return f" through the proxy {proxy.authority}" if proxy is not None else ""

    def _proxy(self, source: str) -> EgressProxy | None:
        if self._issuer.keys.jwks_file:
            return None
        try:
            return proxy_for(fetchable(source), self._issuer.keys.proxy, self._environment.variables)
        except FetchFailed:
            return None

    def _fact_entries(self) -> Iterator[Entry]:
        for (_scheme, host, _port), (facts, now) in self._seen.items():
            if facts.certificate_end is not None:
                yield self._certificate_entry(host, facts.certificate_end, now)
            if facts.time is not None:
                yield self._clock_entry(host, facts.time - now)

    def _certificate_entry(self, host: str, end: float, now: float) -> Entry:
        return certificate_entry(f"certificate {host}", end, now, ("issuers", self._issuer.alias))

    def _clock_entry(self, host: str, ahead: float) -> Entry:
        # `Date` has whole seconds, and half a second more is the way here.
        leeway, off = self._issuer.leeway_seconds, max(0.0, abs(ahead) - 1.5)
        subject = f"clock {host}"
        if off <= leeway:
            return Entry(subject, Level.OK, "agrees with this machine's clock")
        side = "behind" if ahead > 0 else "ahead of"
        effect = "new tokens are not valid yet here" if ahead > 0 else "tokens end too early here"
        message = f"this machine's clock is {abs(ahead):.0f} s {side} {host}, and leeway is {leeway:g} s: {effect}"
        level = Level.FAILURE if off > MAX_LEEWAY_SECONDS else Level.WARNING
        return Entry(subject, level, problem=Problem(("issuers", self._issuer.alias, "leeway"), message, _CLOCK_FIX))


def certificate_entry(subject: str, end: float, now: float, path: Path) -> Entry:
    """The entry for the end of a certificate, in seconds since 1970."""
    date, days = datetime.fromtimestamp(end, UTC).date().isoformat(), (end - now) / _DAY
    if days >= CERTIFICATE_DAYS:
        return Entry(subject, Level.OK, f"valid until {date}, {days:.0f} days")
    if days < 0:
        problem = Problem(path, f"{subject}: it ended on {date}", "Renew it.")
        return Entry(subject, Level.FAILURE, problem=problem)
    message = f"{subject}: it ends on {date}, in {days:.1f} days"
    fix = "Renew it, or ask its owner whether the renewal is automatic."
    return Entry(subject, Level.WARNING, problem=Problem(path, message, fix))


def _as_failure(error: Exception, environment: Environment) -> FetchFailed:
    if isinstance(error, FetchFailed):
        return error
    if isinstance(error, keyset.UnusableKeySet):
        return FetchFailed(FetchResult.NO_USABLE_KEY, str(error))
    return FetchFailed(FetchResult.TIMEOUT, f"no complete response within {environment.deadline_seconds:g} s")


def _asks(policy: Policy, issuer: Issuer) -> bool:
    return policy.userinfo is not None and (policy.issuers is None or issuer.alias in policy.issuers)
