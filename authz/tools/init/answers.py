"""The settings of a new Envoy YAML, checked before it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from authz.core.mapping_reader import listed
from authz.core.problems import ConfigurationError, Problem
from authz.core.profiles import PROFILES, cognito_issuers
from authz.core.read_policy import is_name

MAX_WORKERS = 64
"""The most workers. More workers than cores only compete for CPU."""

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_ORIGIN = re.compile(r"https?://(?P<host>[a-z0-9.-]+)(:[0-9]{1,5})?")
_UPSTREAM = re.compile(r"(?:(?P<prefix>/[A-Za-z0-9._~/-]*)=)?(?P<host>[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_POOL_DOMAIN = "amazoncognito.com"


@dataclass(frozen=True, slots=True)
class UpstreamService:
    """One upstream: the path prefix it owns, and its address."""

    prefix: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The name in policies and scopes: the last segment of the prefix."""
        return self.prefix.rstrip("/").rpartition("/")[2] or "api"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address, which Envoy does not look up."""
        try:
            return bool(ip_address(self.host))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The OpenID provider's addresses for a login."""

    authorization: str
    token: str
    end_session: str = ""

    @property
    def host(self) -> str:
        """The host that Envoy connects to for tokens."""
        return urlsplit(self.token).hostname or ""

    @property
    def port(self) -> int:
        """The port that Envoy connects to for tokens."""
        return urlsplit(self.token).port or 443


@dataclass(frozen=True, slots=True)
class Answers:
    """The input of the template. `problems` lists everything wrong or missing."""

    profile: str
    host: str
    upstreams: tuple[str, ...]
    user_pool_id: str = ""
    issuer: str = ""
    client_ids: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    name: str = ""
    login: bool = False
    login_domain: str = ""
    endpoints: Endpoints | None = None
    """Of a generic provider, from its discovery document or from options."""
    tls: bool = True
    cors: tuple[str, ...] = ()
    workers: int = 1
    marked: bool = False
    """Whether each line that holds an example value says CHANGE."""

    @property
    def services(self) -> tuple[UpstreamService, ...]:
        """The upstreams. `problems` names those left out because they do not parse."""
        matches = [match for text in self.upstreams if (match := _UPSTREAM.fullmatch(text))]
        return tuple(UpstreamService(match["prefix"] or "/api", match["host"], int(match["port"])) for match in matches)

    @property
    def is_workload(self) -> bool:
        """Whether jobs or pods hold the tokens."""
        return PROFILES[self.profile].is_workload

    @property
    def login_endpoints(self) -> Endpoints | None:
        """The endpoints of the sign-in. None without a login."""
        if not self.login:
            return None
        if self.profile != "cognito":
            return self.endpoints
        domain = f"https://{self.login_domain}"
        return Endpoints(f"{domain}/oauth2/authorize", f"{domain}/oauth2/token", f"{domain}/logout")

    @property
    def sign_out(self) -> str:
        """The target of the sign-out redirect as an Envoy header value; empty if the provider has none."""
        endpoints = self.login_endpoints
        if endpoints is None or not endpoints.end_session:
            return ""
        home = quote(f"https://{self.host}/", safe="")
        parameter = "logout_uri" if self.profile == "cognito" else "post_logout_redirect_uri"
        return f"{endpoints.end_session}?client_id={self.client_ids[0]}&{parameter}={home}".replace("%", "%%")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong or missing, each with its option."""
        return tuple(Problem((), message, fix) for message, fix in self._problems())

    def require_complete(self) -> None:
        """Raise ConfigurationError if anything is wrong or missing."""
        if self.problems:
            raise ConfigurationError(self.problems)

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.profile not in PROFILES:
            yield f"--profile: {self.profile!r:.40} is not a profile", f"Choose one of {listed(tuple(PROFILES))}."
            return
        yield from self._host_problems()
        yield from self._issuer_problems()
        yield from self._upstream_problems()
        if self.login:
            yield from self._login_problems()
        for origin in self.cors:
            if not _ORIGIN.fullmatch(origin):
                yield (
                    f"--cors: {origin!r:.80} is not an origin",
                    "Write scheme and host without a path: https://app.example.com.",
                )
        if not 1 <= self.workers <= MAX_WORKERS:
            yield f"--workers: {self.workers} is not from 1 to {MAX_WORKERS}", "Use at most one worker per core."

    def _host_problems(self) -> Iterator[tuple[str, str]]:
        if not self.host:
            yield "--host is missing", "Name the host that clients use, such as orders.example.com."
        elif ":" in self.host or "/" in self.host:
            yield (
                f"--host: {self.host!r:.80} is not a host name alone",
                "Leave out scheme, port and path: Envoy matches the host without its port.",
            )
        elif not _HOST.fullmatch(self.host):
            yield f"--host: {self.host!r:.80} is not a host name", "Write it in lower case: orders.example.com."

    def _issuer_problems(self) -> Iterator[tuple[str, str]]:
        profile = PROFILES[self.profile]
        if self.profile == "cognito":
            if not self.user_pool_id:
                yield "--user-pool-id is missing", "Copy it from the console: ap-northeast-1_AbCdEfGhI."
            else:
                try:
                    cognito_issuers(self.user_pool_id)
                except ValueError:
                    yield (
                        f"--user-pool-id: {self.user_pool_id!r:.80} is not a user pool id",
                        "Copy it from the console: ap-northeast-1_AbCdEfGhI.",
                    )
        elif not self.issuer and not profile.issuers:
            yield "--issuer is missing", "Write the exact `iss` of the provider's tokens: https://idp.example.com."
        if profile.audience_is_client_id and not self.client_ids:
            yield "--client-id is missing", "Name each app client whose tokens are accepted."
        if not profile.audience_is_client_id and not self.audiences:
            yield "--audience is missing", "Name the `aud` that the provider's access tokens carry for this API."

    def _upstream_problems(self) -> Iterator[tuple[str, str]]:
        if not self.upstreams:
            yield "--upstream is missing", "Name the service behind Envoy: --upstream /orders=127.0.0.1:8080."
        for text in self.upstreams:
            match = _UPSTREAM.fullmatch(text)
            if match is None or not 0 < int(match["port"]) < 65_536:  # noqa: PLR2004 - 16 bits
                yield f"--upstream: {text!r:.80} is not [/PREFIX=]HOST:PORT", "Write /orders=127.0.0.1:8080."
        names = [service.name for service in self.services]
        for service in self.services:
            if not is_name(service.name) or service.prefix == "/":
                yield (
                    f"--upstream: no policy can be named after {service.prefix!r:.60}",
                    "Choose a prefix whose last segment has letters and digits, such as /orders.",
                )
            elif names.count(service.name) > 1:
                yield (
                    f"--upstream: two prefixes end in {service.name!r:.60}",
                    "Policies are named after the last segment: choose prefixes that differ there.",
                )

    def _login_problems(self) -> Iterator[tuple[str, str]]:
        if self.is_workload:
            yield f"--login: nobody signs in to {self.profile}", "Use --api-only."
        elif self.profile == "cognito" and not self.login_domain:
            yield (
                "--login-domain is missing",
                f"Name the user pool's domain: orders.auth.ap-northeast-1.{_POOL_DOMAIN}, or your own.",
            )
        elif self.profile == "cognito" and not _HOST.fullmatch(self.login_domain):
            yield f"--login-domain: {self.login_domain!r:.80} is not a host name", "Leave out scheme and path."
        elif self.profile != "cognito" and self.endpoints is None:
            yield (
                "the endpoints for the login are not known",
                "Give --authorization-endpoint and --token-endpoint, or an --issuer that answers with its document.",
            )
        if not self.is_workload and not self.client_ids:
            yield "--client-id is missing", "Name the client that Envoy signs people in with."
