"""Errors that `authz serve` reports for the file, and unknown fields."""

from __future__ import annotations

from collections.abc import Iterator

from authz.envoy.typed import field_problems, unknown_types
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule


@rule("AUTHZ101", Severity.ERROR, "`authz serve` refuses the file")
def refused(envoy: EnvoyConfig) -> Iterator[Found]:
    """The sidecar does not start with this file. If it is running, it keeps its old configuration."""
    for finding in envoy.refusals:
        yield Found(finding.path, finding.message, finding.fix, finding.on_key)


@rule("AUTHZ102", Severity.ERROR, "a route's policy is unknown or wrong")
def wrong_policy(envoy: EnvoyConfig) -> Iterator[Found]:
    """Requests to the route get status 500 (`policy_invalid`). An unreadable policy never becomes a weaker one."""
    hidden = envoy.hidden_policies
    for finding in envoy.settings.warnings if envoy.settings is not None else ():
        if finding.path not in hidden:
            yield Found(finding.path, finding.message, finding.fix, finding.on_key)


@rule("AUTHZ103", Severity.INFO, "a field, a value or a type is not known here")
def not_known(envoy: EnvoyConfig) -> Iterator[Found]:
    """If it is misspelt, Envoy refuses the file. If it is newer than the envoy-data-plane package, the rules cannot
    check it. Run `envoy --mode validate` to find out.
    """
    reported = {(finding.path, finding.message) for finding in envoy.refusals}
    for problem in (
        *field_problems("envoy.config.bootstrap.v3.Bootstrap", envoy.root.value),
        *unknown_types(envoy.root.value),
    ):
        if (problem.path, problem.message) not in reported:
            yield problem
