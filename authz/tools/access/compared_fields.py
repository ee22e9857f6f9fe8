"""Which fields of a policy, an issuer and a configuration decide who is admitted, and how each is compared.

A field that is not in these tables and differs makes the comparison undecided. A test walks the dataclasses, so that a
field added later must be classified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from types import MappingProxyType

from authz.core.configuration import Configuration
from authz.core.issuers import Issuer
from authz.core.policy import Policy

Compares = Policy | Issuer | Configuration


class Compared(Enum):
    """How the comparison treats a field."""

    FORMULA = "part of the formula"
    EQUAL = "undecided if it differs"
    WITHOUT_EFFECT = "does not decide who is admitted"


POLICY_FIELDS: Mapping[str, Compared] = MappingProxyType(
    {
        **dict.fromkeys(("name", "candidate"), Compared.WITHOUT_EFFECT),
        **dict.fromkeys(("access", "issuers", "token_use", "scopes", "conditions"), Compared.FORMULA),
        **dict.fromkeys(("max_age_seconds", "acr", "optional", "userinfo"), Compared.FORMULA),
        # Derived from the other fields.
        **dict.fromkeys(("reads_token", "token_checks", "claim_checks"), Compared.WITHOUT_EFFECT),
    }
)

ISSUER_FIELDS: Mapping[str, Compared] = MappingProxyType(
    {
        "alias": Compared.WITHOUT_EFFECT,
        **dict.fromkeys(("identifiers", "audiences", "client_ids", "leeway_seconds", "grants"), Compared.FORMULA),
        **dict.fromkeys(("require_audience", "ignore_confirmation", "accepts_any_tenant"), Compared.FORMULA),
        **dict.fromkeys(("profile", "algorithms", "keys", "scope_claims", "groups_claim"), Compared.EQUAL),
        **dict.fromkeys(("templates", "userinfo"), Compared.EQUAL),
        # Names the client for the log and for `@client`. Conditions on a client are conditions on a claim.
        "client_claims": Compared.WITHOUT_EFFECT,
    }
)

CONFIGURATION_FIELDS: Mapping[str, Compared] = MappingProxyType(
    {
        "issuers": Compared.FORMULA,
        "policies": Compared.FORMULA,
        "revocations_file": Compared.EQUAL,
        # A longer token may be one that was refused for its length.
        "max_token_bytes": Compared.EQUAL,
        # A claim that is forwarded and is not safe in a header refuses the token.
        "forward": Compared.EQUAL,
        **dict.fromkeys(("resource", "metadata_fields"), Compared.WITHOUT_EFFECT),
    }
)


def undecided_policy(old: Policy, new: Policy) -> str:
    """Say which policy field differs and is not part of the formula. Empty if none."""
    return _differing(old, new, POLICY_FIELDS)


def undecided_issuer(old: Issuer, new: Issuer) -> str:
    """Say which issuer field differs and is not part of the formula. Empty if none."""
    return _differing(old, new, ISSUER_FIELDS)


def undecided_configuration(old: Configuration, new: Configuration) -> str:
    """Say which field outside of issuers and policies differs and can admit more. Empty if none."""
    return _differing(old, new, CONFIGURATION_FIELDS)


def _differing(old: Compares, new: Compares, known: Mapping[str, Compared]) -> str:
    for field in fields(old):
        how = known.get(field.name, Compared.EQUAL)
        if how is Compared.EQUAL and getattr(old, field.name) != getattr(new, field.name):
            return f"`{field.name}` differs"
    return ""
