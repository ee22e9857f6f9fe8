"""The issuers, policies and forwarded headers, compiled once from `node.metadata.authz`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from authz.core.bearer import MAX_TOKEN_CHARACTERS, MAX_TOKEN_LIMIT
from authz.core.egress_proxy import read_proxy
from authz.core.forward import Forward, read_forward
from authz.core.issuers import Issuer, Issuers
from authz.core.mapping_reader import MappingReader, listed
from authz.core.metadata_fields import METADATA_FIELDS, read_metadata_fields
from authz.core.policy import BUILT_IN, Policy
from authz.core.problems import ConfigurationError, Problem
from authz.core.read_issuer import read_issuer
from authz.core.read_policy import NAME_SHAPE, References, is_name, read_policy
from authz.core.resource import Resource, read_resource

MIN_TOKEN_LIMIT = 1024
"""The lower bound of `max_token_bytes`. A smaller one would refuse real tokens, and looks like a number of KiB."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The compiled configuration. Immutable: a reload creates a new one."""

    issuers: Issuers
    policies: Mapping[str, Policy]
    """By name, including the built-in policies."""
    forward: Forward
    revocations_file: str = ""
    """Path of the revocation list, empty if there is none."""
    resource: Resource | None = None
    """This API as a protected resource (RFC 9728). None if the configuration has no `resource`."""
    metadata_fields: frozenset[str] = frozenset(METADATA_FIELDS)
    """The fields that a check returns as dynamic metadata."""
    max_token_bytes: int = MAX_TOKEN_CHARACTERS
    """The longest accepted token."""

    @property
    def references(self) -> References:
        """The issuers and policies that an inline policy may refer to."""
        return _known(self.issuers, self.policies)


def compile_configuration(authz: Mapping[str, Any]) -> Configuration:
    """Compile `node.metadata.authz`.

    Raises ConfigurationError with every problem; the paths are relative to that mapping.
    """
    problems: list[Problem] = []
    reader = MappingReader(authz, (), problems)
    issuers = _issuers(reader)
    policies = _policies(reader, issuers)
    forward = read_forward(reader.section("forward") if "forward" in reader else None)
    revocations_file = reader.text("revocations_file")
    resource = read_resource(reader.section("resource")) if "resource" in reader else None
    metadata_fields = read_metadata_fields(reader)
    longest = reader.whole_number("max_token_bytes", MAX_TOKEN_CHARACTERS, MIN_TOKEN_LIMIT, MAX_TOKEN_LIMIT)
    reader.finish()
    if problems:
        raise ConfigurationError(tuple(problems))
    return Configuration(issuers, policies, forward, revocations_file, resource, metadata_fields, longest)


def _issuers(reader: MappingReader) -> Issuers:
    proxy = read_proxy(reader)
    if "issuers" not in reader:
        reader.wrong((), "issuers is missing", "Name at least one issuer whose tokens are accepted.")
        return Issuers(())
    readers = list(reader.named("issuers", is_name, NAME_SHAPE))
    if not readers:
        reader.wrong(("issuers",), "no issuer is configured", "Name at least one issuer.")
    issuers = [issuer for alias, each in readers if (issuer := read_issuer(each, alias, proxy)) is not None]
    _require_distinct(reader, issuers)
    return Issuers(issuers)


def _require_distinct(reader: MappingReader, issuers: list[Issuer]) -> None:
    """Report an `iss` that two issuers accept: its keys and audiences would depend on the order of the file."""
    owner: dict[str, str] = {}
    for issuer in issuers:
        for name in sorted(issuer.identifiers):
            other = owner.setdefault(name, issuer.alias)
            if other != issuer.alias:
                problem = f"the issuer {name!r:.120} is configured twice, also as {other}"
                reader.wrong(("issuers", issuer.alias), problem, "Merge the two.", on_key=True)
                break


def _policies(reader: MappingReader, issuers: Issuers) -> Mapping[str, Policy]:
    policies = dict(BUILT_IN)
    if "policies" in reader:
        readers = reader.named("policies", is_name, NAME_SHAPE)
        # Policies with a candidate come last, because the candidate must exist already.
        for name, each in sorted(readers, key=lambda named: "candidate" in named[1]):
            if name in BUILT_IN:
                fix = f"Choose another name: {listed(tuple(BUILT_IN))} always exist."
                reader.wrong(("policies", name), f"{name!r} is a built-in policy", fix, on_key=True)
            policies[name] = read_policy(each, name, _known(issuers, policies))
    return MappingProxyType(policies)


def _known(issuers: Issuers, policies: Mapping[str, Policy]) -> References:
    with_userinfo = [alias for alias, issuer in issuers.by_alias.items() if issuer.userinfo is not None]
    return References(frozenset(issuers.by_alias), policies, frozenset(with_userinfo))
