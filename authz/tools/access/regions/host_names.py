"""The hosts of each virtual host: Envoy takes the exact domain, then the longest wildcard, then `*`.

Host names are reversed here, so `*.example.com` is a prefix. A wildcard needs at least one character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from authz.envoy.route_table import RouteTable, VirtualHost
from authz.tools.access.regions.intervals import Intervals, both, exactly, minus, starting_with, union
from authz.tools.access.regions.languages import Language
from authz.tools.access.regions.parts import HOST
from authz.tools.access.regions.request_set import Condition
from authz.tools.access.regions.values import Values, everything

_WITH_PORT = re.compile(r".*[^:]:[0-9]+|\[.*\]:[0-9]+")


@dataclass(frozen=True, slots=True)
class HostNames:
    """Hosts that lead to one virtual host."""

    virtual_host: VirtualHost
    intervals: Intervals
    condition: Condition = ()
    """The regular languages of wildcards at the end (`example.*`)."""


def host_names(table: RouteTable, *, without_port: bool) -> tuple[HostNames, ...]:
    """The hosts of each virtual host that any host leads to. They are disjoint."""
    domains = [
        (domain.lower(), host)
        for host in table.hosts
        for domain in _domains(host)
        if not (without_port and _WITH_PORT.fullmatch(domain))
    ]
    rest = everything(HOST).intervals
    exact: dict[VirtualHost, list[tuple[str, str]]] = {}
    for domain, host in domains:
        if "*" not in domain:
            exact.setdefault(host, []).extend(exactly(domain[::-1]))
    found = [HostNames(host, union(each)) for host, each in exact.items()]
    rest = minus(rest, union(each for names in exact.values() for each in names))
    suffixes = [(domain[1:][::-1], host) for domain, host in domains if domain.startswith("*") and domain != "*"]
    taken, wildcards = _suffixes(suffixes)
    found += (HostNames(host, both(rest, names)) for host, names in wildcards)
    rest = minus(rest, taken)
    return (*found, *_further(domains, rest))


def _domains(host: VirtualHost) -> list[str]:
    domains = host.fields.raw("domains")
    return [each for each in domains if isinstance(each, str)] if isinstance(domains, list) else []


def _suffixes(suffixes: list[tuple[str, VirtualHost]]) -> tuple[Intervals, list[tuple[VirtualHost, Intervals]]]:
    """The hosts of `*.example.com`, longest first: what any takes, and what each takes."""
    every = [(host, _behind(text), text) for text, host in suffixes]
    # A longer wildcard can only take from one that it starts with.
    ordered = sorted(every, key=lambda each: each[2])
    found = []
    for index, (host, names, text) in enumerate(ordered):
        longer: list[tuple[str, str]] = []
        for _other, inner, inner_text in ordered[index + 1 :]:
            if not inner_text.startswith(text):
                break
            longer += inner
        found.append((host, minus(names, union(longer))))
    return union(each for _host, names, _text in every for each in names), found


def _behind(text: str) -> Intervals:
    """The reversed hosts that continue after a reversed suffix."""
    return minus(starting_with(text), exactly(text))


def _further(domains: list[tuple[str, VirtualHost]], rest: Intervals) -> list[HostNames]:
    """The hosts of `example.*`, longest first, and of `*`."""
    prefixes = [(each[:-1], host) for each, host in domains if each.endswith("*") and each != "*"]
    taken: frozenset[tuple[bool, Language]] = frozenset()
    found = []
    for text, host in sorted(prefixes, key=lambda each: len(each[0]), reverse=True):
        # At least one character follows the text, so it precedes the reversed text.
        language = Language("regex", f"(?s).+{re.escape(text[::-1])}")
        found.append(HostNames(host, rest, ((HOST, Values(languages=taken | {(True, language)})),)))
        taken |= {(False, language)}
    condition: Condition = ((HOST, Values(languages=taken)),) if taken else ()
    found += (HostNames(host, rest, condition) for domain, host in domains if domain == "*")
    return found
