"""`resource`: the identifier, the URL of its metadata (RFC 9728 section 3.1), and the document."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.problems import ConfigurationError, Problem
from authz.core.resource import Resource
from tests.fakes.checks import AUTHZ, COGNITO, PARTNER


def _resource(**fields: Any) -> Resource:
    resource = compile_configuration({**AUTHZ, "resource": fields}).resource
    assert resource is not None
    return resource


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource"),
        ("https://api.example.com/mcp", "https://api.example.com/.well-known/oauth-protected-resource/mcp"),
        ("https://api.example.com:8443/a/b", "https://api.example.com:8443/.well-known/oauth-protected-resource/a/b"),
        ("https://api.example.com/a?k=v", "https://api.example.com/.well-known/oauth-protected-resource/a?k=v"),
    ],
)
def test_the_well_known_part_comes_between_host_and_path(identifier: str, url: str) -> None:
    assert _resource(id=identifier).metadata_url == url


def test_without_the_field_there_is_no_resource() -> None:
    assert compile_configuration(AUTHZ).resource is None


def test_the_document_names_the_resource_its_authorization_servers_and_its_scopes() -> None:
    fields = {"id": "https://api.example.com", "scopes": ["orders/write", "orders/read"]}
    workload = {"profile": "github-actions", "audiences": ["https://api.example.com"]}
    authz = {**AUTHZ, "issuers": {**AUTHZ["issuers"], "ci": workload}}
    configuration = compile_configuration(
        {**authz, "resource": {**fields, "documentation": "https://docs.example.com/"}}
    )

    assert configuration.resource is not None
    assert configuration.resource.document(configuration.issuers.by_alias.values()) == {
        "resource": "https://api.example.com",
        "authorization_servers": [COGNITO, PARTNER],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["orders/read", "orders/write"],
        "resource_documentation": "https://docs.example.com/",
    }


def test_the_document_leaves_out_what_there_is_none_of() -> None:
    assert _resource(id="https://api.example.com").document(()) == {
        "resource": "https://api.example.com",
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {},
            Problem(
                ("resource",),
                "id is missing",
                'Write `id: "https://..."`, the URL that clients use for this API.',
            ),
        ),
        (
            {"id": "api"},
            Problem(
                ("resource", "id"), "'api' is not an https URL: its host is not valid", 'Write `id: "https://..."`.'
            ),
        ),
        (
            {"id": 'https://api.example.com/"'},
            Problem(("resource", "id"), "a URL cannot contain quotation marks", "Percent-encode them: %22."),
        ),
    ],
    ids=str,
)
def test_a_wrong_url_is_a_mistake_with_its_fix(fields: dict[str, Any], problem: Problem) -> None:
    with pytest.raises(ConfigurationError) as error:
        compile_configuration({**AUTHZ, "resource": fields})

    assert error.value.problems == (problem,)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": "http://api.example.com"}, "http is accepted for loopback hosts only"),
        ({"id": "https://api.example.com/#x"}, "it has a user name or a fragment"),
        ({"id": "https://api.example.com", "scopes": ["a b"]}, "'a b' is not one scope"),
        ({"id": "https://api.example.com", "scopes": []}, "the list is empty"),
        (
            {"id": "https://api.example.com", "documentation": "docs"},
            "resource.documentation: 'docs' is not an https URL",
        ),
        ({"id": "https://api.example.com", "scope": "a"}, "unknown field 'scope'"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        compile_configuration({**AUTHZ, "resource": fields})

    assert problem in str(error.value)
