"""Every field of a policy, an issuer and a configuration is in the formula, or has to be equal, or decides nothing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from authz.core.configuration import Configuration, compile_configuration
from authz.core.issuers import Issuer
from authz.core.policy import Policy
from authz.tools.access.compared_fields import CONFIGURATION_FIELDS, ISSUER_FIELDS, POLICY_FIELDS, Compared
from authz.tools.access.relation import PolicyComparison

_OIDC = {"profile": "oidc", "issuer": "https://id.example/o", "audiences": ["api"]}
_ENTRA = {"profile": "entra", "tenants": ["a"], "audiences": ["api"]}
_TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"

_ISSUERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "profile": (_OIDC, _OIDC | {"profile": "okta"}),
    "algorithms": (_OIDC, _OIDC | {"algorithms": ["RS256"]}),
    "keys": (_OIDC, _OIDC | {"jwks_uri": "https://keys.example/jwks.json"}),
    "scope_claims": (_OIDC, _OIDC | {"scope_claims": ["scope"]}),
    "groups_claim": (_OIDC, _OIDC | {"groups_claim": "roles"}),
    "userinfo": (_OIDC, _OIDC | {"userinfo_uri": "https://id.example/me"}),
    "templates": (_ENTRA, _ENTRA | {"issuer": _TEMPLATE}),
}
"""Two issuers of one `iss` that differ in this field, by field."""

_CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "revocations_file": {"revocations_file": "/run/authz/revoked.yaml"},
    "max_token_bytes": {"max_token_bytes": 20_000},
    "forward": {"forward": {"x-auth-email": "email"}},
}


def _relation(old: dict[str, Any], new: dict[str, Any], more: dict[str, Any] | None = None) -> Any:
    before = compile_configuration({"issuers": {"one": old}})
    after = compile_configuration({"issuers": {"one": new}, **(more or {})})
    return PolicyComparison(before, after).relation(before.policies["authenticated"], after.policies["authenticated"])


@pytest.mark.parametrize(
    ("kind", "known"), [(Policy, POLICY_FIELDS), (Issuer, ISSUER_FIELDS), (Configuration, CONFIGURATION_FIELDS)]
)
def test_every_field_is_classified_so_that_a_new_one_cannot_be_forgotten(kind: Any, known: Any) -> None:
    assert {field.name for field in fields(kind)} == set(known)


@pytest.mark.parametrize("field", [name for name, how in ISSUER_FIELDS.items() if how is Compared.EQUAL])
def test_an_issuer_that_differs_in_a_field_outside_of_the_formula_is_undecided_and_so_wider(field: str) -> None:
    relation = _relation(*_ISSUERS[field])
    assert relation.change.is_wider
    assert f"`{field}` differs" in relation.undecided


@pytest.mark.parametrize("field", [name for name, how in CONFIGURATION_FIELDS.items() if how is Compared.EQUAL])
def test_a_configuration_that_differs_in_a_field_outside_of_the_formula_is_undecided_and_so_wider(field: str) -> None:
    relation = _relation(_OIDC, _OIDC, _CONFIGURATIONS[field])
    assert relation.change.is_wider
    assert f"`{field}` differs" in relation.undecided
