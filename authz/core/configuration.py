"""Everything the sidecar is told about trust and policies, compiled once from `node.metadata.authz`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from authz.core.forward import Forward, read_forward
from authz.core.issuers import Issuer, Issuers
from authz.core.mapping_reader import MappingReader, listed
from authz.core.policy import BUILT_IN, Policy
from authz.core.problems import ConfigurationError, Problem
from authz.core.read_issuer import read_issuer
from authz.core.read_policy import NAME_SHAPE, References, is_name, read_policy


@dataclass(frozen=True, slots=True)
class Configuration:
    """Trust and policies, ready to be used. Immutable: a reload makes a new one."""

    issuers: Issuers
    policies: Mapping[str, Policy]
    """By name, the built-in ones included."""
    forward: Forward
    revocations_file: str = ""
    """Path of the revocation list; empty where there is none."""

    @property
    def references(self) -> References:
        """What a policy written in place may refer to."""
        return _known(self.issuers, self.policies)


def compile_configuration(authz: Mapping[str, Any]) -> Configuration:
    """Compile `node.metadata.authz`.

    Raises ConfigurationError with every problem; the paths are relative to that mapping.
    """
    found: list[Problem] = []
    section = MappingReader(authz, (), found)
    issuers = _issuers(section)
    policies = _policies(section, issuers)
    forward = read_forward(section.section("forward") if "forward" in section else None)
    revocations_file = section.text("revocations_file")
    section.finish()
    if found:
        raise ConfigurationError(tuple(found))
    return Configuration(issuers, policies, forward, revocations_file)


def _issuers(section: MappingReader) -> Issuers:
    if "issuers" not in section:
        section.wrong((), "issuers is missing", "Name at least one issuer whose tokens are accepted.")
        return Issuers(())
    sections = list(section.named("issuers", is_name, NAME_SHAPE))
    if not sections:
        section.wrong(("issuers",), "no issuer is configured", "Name at least one issuer.")
    issuers = [issuer for alias, each in sections if (issuer := read_issuer(each, alias)) is not None]
    _require_distinct(section, issuers)
    return Issuers(issuers)


def _require_distinct(section: MappingReader, issuers: list[Issuer]) -> None:
    """One `iss` leads to one issuer: otherwise its keys and audiences would depend on the order of lines."""
    owner: dict[str, str] = {}
    for issuer in issuers:
        for name in sorted(issuer.identifiers):
            other = owner.setdefault(name, issuer.alias)
            if other != issuer.alias:
                problem = f"the issuer {name!r:.120} is configured twice, also as {other}"
                section.wrong(("issuers", issuer.alias), problem, "Merge the two.", on_key=True)
                break


def _policies(section: MappingReader, issuers: Issuers) -> Mapping[str, Policy]:
    policies = dict(BUILT_IN)
    if "policies" in section:
        sections = section.named("policies", is_name, NAME_SHAPE)
        for name, each in sorted(sections, key=lambda named: "candidate" in named[1]):  # what they name comes first
            if name in BUILT_IN:
                fix = f"Choose another name: {listed(tuple(BUILT_IN))} are always there."
                section.wrong(("policies", name), f"{name!r} is a built-in policy", fix, on_key=True)
            policies[name] = read_policy(each, name, _known(issuers, policies))
    return MappingProxyType(policies)


def _known(issuers: Issuers, policies: Mapping[str, Policy]) -> References:
    with_userinfo = [alias for alias, issuer in issuers.by_alias.items() if issuer.userinfo is not None]
    return References(frozenset(issuers.by_alias), policies, frozenset(with_userinfo))
