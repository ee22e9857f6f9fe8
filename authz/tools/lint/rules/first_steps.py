"""Mistakes of the first days: example values, hosts that do not fit together, CORS, and an old Envoy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from authz.envoy.fields import Fields
from authz.tools.lint.envoy_config import EnvoyConfig, LintManager
from authz.tools.lint.rule import Found, Severity, rule

_TRUST = re.compile(r"5onexampleclientid|_AbCdEfGhI\b")
_LOGIN = re.compile(rf"{_TRUST.pattern}|\borders(\.auth\.[a-z0-9-]+\.amazoncognito|\.example)\.com")
"""Values of the shipped files, in the issuers and in the login."""

_FIXES = {(1, 39): ("CVE-2026-47205",), (1, 40): ("CVE-2026-73547", "CVE-2026-50572")}
"""Fixes of ext_authz, by the first release with them."""

_SIGN_OUT = re.compile(r"log-?out|sign-?out|end_?session", re.IGNORECASE)


@rule("AUTHZ513", Severity.WARNING, "CORS comes after the check")
def cors_after_check(envoy: EnvoyConfig) -> Iterator[Found]:
    """A browser sends the CORS preflight without a token. Behind ext_authz it gets status 401, and other origins
    cannot call the API.
    """
    for manager in envoy.managers:
        is_checked = False
        for item in manager.filters:
            is_checked = is_checked or any(each in manager.own for each in item.every())
            if item.kind == "Cors" and is_checked:
                yield Found(item.fields.path, "preflight requests are refused with 401", "Put it before ext_authz.")


@rule("AUTHZ711", Severity.INFO, "an example value is left")
def example_value(envoy: EnvoyConfig) -> Iterator[Found]:
    """The shipped files contain a made-up client id, user pool and host. A line that still has its CHANGE mark is not
    reported.
    """
    issuers = envoy.root.get("node", "metadata", "authz", "issuers")
    logins = [(config, _LOGIN) for _manager, _item, config in envoy.oauth2_filters]
    for place, examples in ((issuers, _TRUST), *logins):
        for fields in place.inside():
            for key, value in fields.value.items():
                for path, text in _texts(value, (*fields.path, key)):
                    if examples.search(text):
                        yield Found(path, f"{text!r:.80} is an example value", "Write your own.")


def _texts(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """A text, or the texts of a list, with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        yield from (((*path, index), each) for index, each in enumerate(value) if isinstance(each, str))


@rule("AUTHZ712", Severity.WARNING, "an allowed redirect domain has a port")
def port_in_domain(envoy: EnvoyConfig) -> Iterator[Found]:
    """Envoy compares `allowed_redirect_domains` with the host without its port. An entry with a port never
    matches.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        for path, text in _texts(config.raw("allowed_redirect_domains"), config.where("allowed_redirect_domains")):
            if re.search(r":[0-9]+$", text):
                yield Found(path, f"{text!r:.80} matches no host", "Remove the port.")


@rule("AUTHZ713", Severity.WARNING, "no virtual host serves the redirect_uri")
def unserved_callback(envoy: EnvoyConfig) -> Iterator[Found]:
    """The provider sends the browser to the host of `redirect_uri`. If no virtual host of this listener has that
    domain, the login ends with status 404.
    """
    for manager, _item, config in envoy.oauth2_filters:
        host = _host(config.text("redirect_uri"))
        domains = [each for table in manager.tables for each in _domains(table)]
        if host and domains and not any(_serves(domain, host) for domain in domains):
            problem = f"no virtual host has the domain {host!r:.80}"
            yield Found(config.where("redirect_uri"), problem, "Write a host of `domains`.")


def _domains(table: Fields) -> Iterator[str]:
    for host in table.each("virtual_hosts"):
        found = host.raw("domains")
        yield from (each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def _serves(domain: str, host: str) -> bool:
    name = re.sub(r":[0-9]+$", "", domain.lower())
    if name.startswith("*"):
        return host.endswith(name[1:])
    return host.startswith(name[:-1]) if name.endswith("*") else host == name


@rule("AUTHZ714", Severity.WARNING, "the sign-out leads to another host than the login")
def other_sign_out(envoy: EnvoyConfig) -> Iterator[Found]:
    """A session at the provider ends only on the provider's own sign-out page. If the host is another one, for example
    after a change of the user pool, the next login needs no password.
    """
    for manager, _item, config in envoy.oauth2_filters:
        login = _host(config.text("authorization_endpoint"))
        for path, url in (
            *_sign_outs(manager),
            (config.where("end_session_endpoint"), config.text("end_session_endpoint")),
        ):
            host = _host(url)
            if login and host and host != login:
                yield Found(path, f"the sign-out leads to {host:.80}, the login to {login:.80}", "Write the same host.")


def _sign_outs(manager: LintManager) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The Location headers of sign-out pages."""
    for fields in manager.fields.inside():
        if fields.text("key").lower() == "location" and _SIGN_OUT.search(_path(fields.text("value"))):
            yield fields.where("value"), fields.text("value")


def _path(url: str) -> str:
    """The path of a URL. Empty if it is not a URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _host(url: str) -> str:
    """The host of an absolute URL. Empty if Envoy computes it (`%REQ(:authority)%`) or it is not a URL."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return "" if "%" in host else host


@rule("AUTHZ806", Severity.WARNING, "Envoy is older than fixes of ext_authz")
def old_envoy(envoy: EnvoyConfig) -> Iterator[Found]:
    """A dump contains Envoy's version. 1.39 fixes CVE-2026-47205, 1.40 fixes CVE-2026-73547 and CVE-2026-50572."""
    node = envoy.root.get("node")
    build = node.get("user_agent_build_version", "version")
    written = re.match(r"v?([0-9]+)\.([0-9]+)", node.text("user_agent_version"))
    numbers = (
        (build.raw("major_number"), build.raw("minor_number") or 0) if build else written.groups() if written else ()
    )
    if len(numbers) != 2 or not all(str(each).isdigit() for each in numbers):  # noqa: PLR2004 - major and minor
        return
    version = (int(str(numbers[0])), int(str(numbers[1])))
    missing = [name for release, names in _FIXES.items() if version < release for name in names]
    if missing:
        where = node.where("user_agent_build_version" if build else "user_agent_version")
        problem = f"Envoy {version[0]}.{version[1]} does not fix {', '.join(missing)}"
        yield Found(where, problem, "Use Envoy 1.40 or later.")
