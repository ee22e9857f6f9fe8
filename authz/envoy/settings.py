"""Read and compile the sidecar's configuration from an Envoy YAML, or report every problem in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.configuration import Configuration, compile_configuration
from authz.core.mapping_reader import describe
from authz.core.policy import Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.problems import ConfigurationError, Problem
from authz.core.reasons import Denied
from authz.envoy.bootstrap import Bootstrap, bootstrap_of, located
from authz.envoy.document import read
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.resources import Resources

AUTHZ_PATH = ("node", "metadata", "authz")

CheckFiles = Callable[[Configuration], tuple[Problem, ...]]
"""Returns a problem for each named file that cannot be read. Passed in: this package reads no files."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked configuration of `serve`."""

    text: str
    """The text of the file."""
    realm: str
    authz: Mapping[str, Any]
    configuration: Configuration
    """Compiled from `authz`."""
    endpoints: tuple[str, ...]
    inline_policies: tuple[Policy, ...]
    """Policies that routes of the file write inline."""
    warnings: tuple[Problem, ...]
    """Routes whose policy is wrong. Their requests are refused; other routes work."""


def read_settings(text: str, file: str, *, need_endpoints: bool, check_files: CheckFiles | None = None) -> Settings:
    """Read and check a file, and the files that it names if `check_files` is given. Raises ConfigurationError."""
    document = read(text, file)
    settings = settings_of(Resources(document), text, need_endpoints=need_endpoints)
    problems = check_files(settings.configuration) if check_files is not None else ()
    if problems:
        raise ConfigurationError(located(problems, document, AUTHZ_PATH))
    return settings


def settings_of(resources: Resources, text: str, *, need_endpoints: bool) -> Settings:
    """Check a document. Raises ConfigurationError with every problem in Envoy's fields and under `authz`."""
    bootstrap, found = bootstrap_of(resources, need_endpoints=need_endpoints)
    try:
        configuration = compile_configuration(bootstrap.authz) if bootstrap.authz else None
    except ConfigurationError as error:
        raise ConfigurationError((*found, *located(error.problems, resources.document, AUTHZ_PATH))) from error
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


def _route_policies(
    bootstrap: Bootstrap, configuration: Configuration
) -> tuple[tuple[Policy, ...], tuple[Problem, ...]]:
    """Return the inline policies of routes, and a problem for each route whose policy is wrong."""
    policies = PolicyLookup(configuration.references, parse_inline_policy)
    inline: dict[str, Policy] = {}
    wrong = []
    for route in bootstrap.route_policies:
        if not isinstance(route.text, str):
            problem = f"context extensions must be text, not {describe(route.text)}"
            wrong.append(
                Problem(
                    route.path,
                    problem,
                    "Put quotes around it. Envoy refuses the file.",
                    location=route.location,
                )
            )
            continue
        try:
            policy = policies.find(route.text)
            if route.text not in configuration.policies:
                inline[route.text] = policy
        except Denied as denied:
            fix = "Until it is fixed, requests to this route get status 500."
            wrong.append(Problem(route.path, denied.detail, fix, location=route.location))
    return tuple(inline.values()), tuple(wrong)
