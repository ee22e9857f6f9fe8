"""The whole configuration of the sidecar, from the text of an Envoy YAML to compiled rules, or every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.configuration import Configuration, compile_configuration
from authz.core.mapping_reader import describe
from authz.core.policy import Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.problems import ConfigurationError, Problem
from authz.core.reasons import Denied
from authz.envoy.bootstrap import Bootstrap, bootstrap_of, located
from authz.envoy.document import Document, read
from authz.envoy.inline_policy import parse_inline_policy
from authz.sources import revocations_file
from authz.sources.fetch_result import FetchFailed

AUTHZ_PATH = ("node", "metadata", "authz")


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` needs, all of it checked."""

    text: str
    """The file as it was read."""
    realm: str
    authz: Mapping[str, Any]
    configuration: Configuration
    """Compiled from `authz`."""
    endpoints: tuple[str, ...]
    inline_policies: tuple[Policy, ...]
    """Policies that routes of the file write in place."""
    warnings: tuple[Problem, ...]
    """Routes whose policy is wrong: their requests are refused, the others are served."""


def read_settings(text: str, file: str, *, need_endpoints: bool, need_files: bool = False) -> Settings:
    """Read and check everything. `need_files`: also the revocation list that it names. Raises ConfigurationError."""
    document = read(text, file)
    settings = settings_of(document, text, need_endpoints=need_endpoints)
    if need_files and settings.configuration.revocations_file:
        _require_revocations(settings.configuration.revocations_file, document)
    return settings


def settings_of(document: Document, text: str, *, need_endpoints: bool) -> Settings:
    """Check everything in a document. Raises ConfigurationError with the mistakes of Envoy's part and of ours."""
    bootstrap, found = bootstrap_of(document, need_endpoints=need_endpoints)
    try:
        configuration = compile_configuration(bootstrap.authz) if bootstrap.authz else None
    except ConfigurationError as mistakes:
        raise ConfigurationError((*found, *located(mistakes.problems, document, AUTHZ_PATH))) from mistakes
    if found or configuration is None:
        raise ConfigurationError(found)
    inline, warnings = _route_policies(bootstrap, configuration)
    return Settings(
        text=text,
        realm=bootstrap.realm,
        authz=bootstrap.authz,
        configuration=configuration,
        endpoints=bootstrap.endpoints,
        inline_policies=inline,
        warnings=warnings,
    )


def _require_revocations(path: str, document: Document) -> None:
    """Refuse to begin without the list: tokens on it would be let in, or none at all."""
    try:
        revocations_file.read(path)
    except FetchFailed as failed:
        place = document.locate((*AUTHZ_PATH, "revocations_file"))
        fix = f'Put a list at {path!r:.200}: `{{"revoked": []}}` is one without entries.'
        raise ConfigurationError((Problem(AUTHZ_PATH, failed.detail, fix, location=place),)) from failed


def _route_policies(
    bootstrap: Bootstrap, configuration: Configuration
) -> tuple[tuple[Policy, ...], tuple[Problem, ...]]:
    """The policies that routes write in place, and a finding for each route whose policy is wrong."""
    policies = PolicyLookup(configuration.references, parse_inline_policy)
    inline: dict[str, Policy] = {}
    wrong = []
    for route in bootstrap.route_policies:
        if not isinstance(route.text, str):
            problem = f"context extensions are text, and this is {describe(route.text)}"
            wrong.append(
                Problem(
                    route.path,
                    problem,
                    "Put quotes around it: Envoy refuses the file as it is.",
                    location=route.location,
                )
            )
            continue
        try:
            policy = policies.find(route.text)
            if route.text not in configuration.policies:
                inline[route.text] = policy
        except Denied as denied:
            fix = "Requests to this route are answered with 500 until it is mended."
            wrong.append(Problem(route.path, denied.detail, fix, location=route.location))
    return tuple(inline.values()), tuple(wrong)
