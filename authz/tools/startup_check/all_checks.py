"""Run every check of one Envoy YAML, in the order in which `serve` needs its results."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from authz.core.configuration import Configuration
from authz.core.issuers import Issuers
from authz.core.problems import Location, Problem
from authz.envoy.bootstrap import located
from authz.envoy.document import YamlDocument, read
from authz.envoy.resources import Resources
from authz.envoy.settings import AUTHZ_PATH, Settings, settings_of
from authz.server import named_files
from authz.server.address import require_free
from authz.server.engine import CannotListen
from authz.server.unused_proxy import FIX, in_words, unused_proxy
from authz.sources.environment import Environment
from authz.tools.startup_check import envoy_files, issuer_endpoints
from authz.tools.startup_check.entry import ENVOY_FILES, NETWORK, SOCKETS, Entry, Level


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of `serve`, from its options."""

    listen: tuple[str, ...]
    """Empty if the endpoints of the file's ext_authz cluster are the addresses."""
    admin: str
    """`HOST:PORT`, empty for none."""


def run(
    text: str, file: str, addresses: Addresses, skipped: frozenset[str], environment: Environment | None = None
) -> tuple[Entry, ...]:
    """Return an entry for each check. Raises ConfigurationError if `serve` could not read the file."""
    environment = environment or Environment()
    document = read(text, file)
    resources = Resources(document)
    settings = settings_of(resources, text, need_endpoints=not addresses.listen and SOCKETS not in skipped)
    found = [*_configuration(settings), *_own_files(settings.configuration, document)]
    if NETWORK not in skipped:
        found += _network(settings, document, environment)
    if ENVOY_FILES not in skipped:
        found += envoy_files.entries(resources, environment.clock.wall())
    if SOCKETS not in skipped:
        found += _sockets(addresses, settings.endpoints, resources)
    return tuple(found)


def _configuration(settings: Settings) -> Iterator[Entry]:
    issuers, policies = len(settings.configuration.issuers.by_alias), len(settings.configuration.policies)
    yield Entry("configuration", Level.OK, f"issuers: {issuers}, policies: {policies} with the built-in ones")
    for warning in settings.warnings:
        yield Entry("route", Level.FAILURE, problem=warning)


def _own_files(configuration: Configuration, document: YamlDocument) -> Iterator[Entry]:
    for problem in located(named_files.check(configuration), document, AUTHZ_PATH):
        yield Entry(f"file {problem.path[-1]}", Level.FAILURE, problem=problem)


def _network(settings: Settings, document: YamlDocument, environment: Environment) -> Iterator[Entry]:
    """Fetch from every issuer whose files are good: for the others, `_own_files` has the cause."""
    configuration = settings.configuration
    broken = {problem.path[1] for problem in named_files.check(configuration) if problem.path[0] == "issuers"}
    usable = Issuers(each for alias, each in configuration.issuers.by_alias.items() if alias not in broken)
    policies = (*configuration.policies.values(), *settings.inline_policies)
    fetched = asyncio.run(issuer_endpoints.entries(replace(configuration, issuers=usable), policies, environment))
    for entry in fetched:
        problems = (entry.problem,) if entry.problem is not None else ()
        yield replace(entry, problem=next(iter(located(problems, document, AUTHZ_PATH)), None))
    if name := unused_proxy(settings.authz, configuration, environment.variables):
        (problem,) = located((Problem((), in_words(name), FIX),), document, AUTHZ_PATH)
        yield Entry("proxy", Level.WARNING, problem=problem)


def _sockets(addresses: Addresses, endpoints: tuple[str, ...], resources: Resources) -> Iterator[Entry]:
    for address in addresses.listen or endpoints:
        place = None if addresses.listen else _place_of(address, resources)
        yield _socket(f"socket {address}", address, place)
    if addresses.admin:
        yield _socket(f"--admin {addresses.admin}", addresses.admin, None)


def _socket(subject: str, address: str, place: Location | None) -> Entry:
    try:
        require_free(address, remove_stale=False)
    except CannotListen as error:
        fix = f"This command runs as uid {os.getuid()}: run it as the user of `authz serve`."
        return Entry(subject, Level.FAILURE, problem=Problem((), f"{subject}: {error}", fix, location=place))
    return Entry(subject, Level.OK, "free")


def _place_of(address: str, resources: Resources) -> Location | None:
    """Where the file has the endpoint: a `pipe` with this path, or a `socket_address` with this port."""
    path, port = address.removeprefix("unix:"), address.rpartition(":")[2]
    for fields in resources.mappings:
        if fields.text("path") == path or str(fields.raw("port_value")) == port:
            return resources.document.locate(fields.path)
    return None
