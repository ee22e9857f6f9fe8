"""Reading of all settings by `serve`: all errors at once, and wrong routes as warnings."""

from __future__ import annotations

import pytest

from authz.core.problems import ConfigurationError
from authz.envoy.settings import Settings, read_settings
from authz.tools.demo.requirements import shipped_envoy_yaml
from tests.envoy.bootstraps import NODE, bootstrap


def _read(extensions: str = "{ policy: orders-read }") -> Settings:
    return read_settings(bootstrap(extensions=extensions), "f", need_endpoints=True)


def test_the_shipped_file_has_no_warnings() -> None:
    settings = read_settings(shipped_envoy_yaml(), "envoy.yaml", need_endpoints=True)

    assert settings.warnings == ()
    assert list(settings.configuration.issuers.by_alias) == ["cognito"]
    assert set(settings.configuration.policies) == {"deny", "public", "authenticated", "orders-read", "orders-write"}


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ("{ policy: order-read }", "no policy is called 'order-read'"),
        ('{ policy: "" }', "context_extensions has no `policy`"),
        ('{ policy: "{ scpoes: [a] }" }', "scpoes: unknown field 'scpoes'. Did you mean `scopes`?"),
        ('{ policy: "{ issuers: [other] }" }', "there is no issuer 'other'"),
        ('{ policy: "{ scopes: [" }', "not YAML"),
        ('{ policy: "[a]" }', "a mapping is needed here, not a list"),
        ("{ policy: { scopes: [a] } }", "context extensions must be text, not a mapping"),
        ("{ policy: yes }", "context extensions must be text, not true"),
    ],
)
def test_a_route_with_a_wrong_policy_is_a_warning_at_its_place(extensions: str, expected: str) -> None:
    (warning,) = _read(extensions).warnings

    assert expected in warning.message
    assert str(warning.location) == "f:33:69"


@pytest.mark.parametrize("extensions", ["{}", "{ polcy: public }", "{ policy: ~ }", "~", "{ policy: public }"])
def test_a_route_that_names_no_policy_of_its_own_is_no_warning(extensions: str) -> None:
    assert _read(extensions).warnings == ()


def test_every_error_in_issuers_and_policies_has_its_position() -> None:
    node = NODE.replace("profile: oidc", "profile: oicd").replace("{ scopes: [orders/read] }", "{ scopes: [] }")

    with pytest.raises(ConfigurationError) as wrong:
        read_settings(bootstrap(node=node), "f", need_endpoints=True)

    assert [str(finding) for finding in wrong.value.problems] == [
        (
            "f:7:29: 'oicd' is not one of cognito, oidc, entra, okta, auth0, keycloak, google, adfs, spiffe, "
            "github-actions, gitlab-ci, circleci, kubernetes. "
            "Did you mean `oidc`?"
        ),
        "f:9:32: the list is empty. Name at least one value, or leave the field out.",
    ]


def test_what_stops_the_reading_of_the_file_comes_as_wrong_settings_too() -> None:
    with pytest.raises(ConfigurationError, match="f:2:1: not YAML"):
        read_settings("node: [", "f", need_endpoints=True)


def test_errors_of_envoys_part_and_of_ours_are_reported_together() -> None:
    node = NODE.replace("  id:", "  idd:").replace("profile: oidc", "profile: oicd")

    with pytest.raises(ConfigurationError) as wrong:
        read_settings(bootstrap(node=node, service="{}"), "f", need_endpoints=True)

    assert [finding.location.line if finding.location else 0 for finding in wrong.value.problems] == [2, 21, 7]
