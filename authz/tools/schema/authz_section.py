"""The schema of `node.metadata.authz`, its lists and bounds the code's own.

It never refuses what the compiler takes. The compiler refuses more: references to names, URLs, what a grant can reach.
"""

from __future__ import annotations

from typing import Any

from authz.core.bearer import MAX_TOKEN_CHARACTERS, MAX_TOKEN_LIMIT
from authz.core.configuration import MIN_TOKEN_LIMIT
from authz.core.egress_proxy import DIRECT, FROM_ENVIRONMENT
from authz.core.forward import DEFAULT, OWN_VALUES
from authz.core.metadata_fields import METADATA_FIELDS, NO_FIELDS
from authz.core.policy import BUILT_IN
from authz.core.profiles import PROFILES
from authz.core.read_issuer import ANY, MAX_LEEWAY_SECONDS
from authz.core.read_locations import MAX_REFRESH_SECONDS, MAX_STALE_LIMIT_SECONDS
from authz.core.read_policy import MAX_AGE_LIMIT_SECONDS
from authz.core.signature_algorithms import ALGORITHMS
from authz.tools.schema.schema_types import (
    SCOPE_PATTERN,
    Schema,
    duration,
    flag,
    mapping,
    membership,
    named,
    one_of,
    one_or_more,
    text,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCOPE = text("One scope, without spaces (RFC 6749 section 3.3).", pattern=SCOPE_PATTERN)
_GROUP = text("A group's name, exactly.")
_CLAIM_VALUE: Schema = {"type": ["string", "number", "boolean"]}
_HEADER_PATTERN = "^[a-z0-9][a-z0-9_-]{0,63}$"

_PROXY = text(
    f"HTTP proxy for fetches: a URL, `{FROM_ENVIRONMENT}` for HTTPS_PROXY and NO_PROXY, or `{DIRECT}`.",
    examples=["http://proxy.example.com:3128", FROM_ENVIRONMENT],
)
_ISSUERS_OF_POLICY = one_or_more(
    text("An alias under `issuers`."), "Issuers whose tokens are accepted. Default: every configured one."
)
_CONDITIONS: dict[str, Schema] = {
    "groups": membership(_GROUP, "Groups of the token: a name or a list (all of them), or all_of, any_of, none_of."),
    "claims": {
        "type": "object",
        "description": "Claims of the token by name, or by JSON Pointer where the name begins with `/` (RFC 6901). "
        "A value or a list means any of them. Comparison is exact.",
        "minProperties": 1,
        "propertyNames": {"minLength": 1},
        "additionalProperties": membership(_CLAIM_VALUE, "The values that the claim may have."),
    },
}


def _either(value: Schema, description: str) -> Schema:
    """Exact values, or the word by which a check is left out on purpose."""
    return {"description": description, "anyOf": [{"const": ANY}, one_or_more(value, "Exact values.")]}


def _grant() -> Schema:
    return mapping(
        "Scopes for tokens that do not carry them.",
        {
            "when": mapping("Who gets them: groups, claims, or both.", _CONDITIONS, minProperties=1),
            "scopes": one_or_more(_SCOPE, "The scopes that are given."),
        },
        ("when", "scopes"),
    )


def _issuer() -> Schema:
    audience_is_client_id = [profile.name for profile in PROFILES.values() if profile.audience_is_client_id]
    must_name = [
        profile.name
        for profile in PROFILES.values()
        if not (profile.issuers or profile.issuer_templates or profile.audience_is_client_id)
    ]
    workloads = [profile.name for profile in PROFILES.values() if profile.is_workload]
    templated = [profile.name for profile in PROFILES.values() if profile.issuer_templates]
    fields: dict[str, Schema] = {
        "profile": one_of("What kind of issuer it is.", tuple(PROFILES)),
        "issuer": one_or_more(
            text("A name or a URL."), "`iss` of its tokens, exactly; a list where it has several forms."
        ),
        "user_pool_id": text("The Cognito user pool, as the console shows it.", examples=["ap-northeast-1_AbCdEfGhI"]),
        "client_ids": _either(text("An app client's id."), "App clients whose tokens are accepted, or `any`."),
        "audiences": _either(text("An audience, exactly."), "Accepted values of `aud`, or `any`."),
        "tenants": _either(text("A tenant id."), "For an issuer with `{tenantid}`: accepted tenants, or `any`."),
        "replica_regions": one_or_more(text("An AWS Region."), "cognito: further Regions of a replicated pool."),
        "scope_claims": one_or_more(text("A claim."), "Claims that hold the scopes; the first present one counts."),
        "groups_claim": text("The claim that holds the groups: a name or a JSON Pointer."),
        "client_claims": one_or_more(text("A claim."), "Claims that name the client; the first present one counts."),
        "require_audience": flag("Whether a token without `aud` is refused."),
        "ignore_confirmation": flag("Whether tokens with `cnf` are accepted without a proof of possession."),
        "algorithms": one_or_more(one_of("", tuple(ALGORITHMS)), "Accepted signature algorithms: asymmetric only."),
        "jwks_uri": text("Where its keys are, instead of where its profile has them."),
        "jwks_file": text("A file with its keys, instead of an address."),
        "proxy": _PROXY,
        "ca_file": text("PEM certificates to trust for its addresses, instead of the system's."),
        "bearer_token_file": text("A file whose content is sent as a bearer token to the JWKS endpoint (Kubernetes)."),
        "userinfo_uri": text("Its userinfo endpoint, where discovery does not name it."),
        "leeway": duration("How far clocks may differ.", 0, MAX_LEEWAY_SECONDS, "10s"),
        "refresh": duration("How often its keys are fetched.", 1, MAX_REFRESH_SECONDS, "5m"),
        "max_stale": duration(
            "How long keys may be used when they cannot be fetched.", 1, MAX_STALE_LIMIT_SECONDS, "24h"
        ),
        "grants": {
            "type": "array",
            "minItems": 1,
            "items": _grant(),
            "description": "Scopes that tokens get beside their own, such as those of the Cognito user pools API.",
        },
    }
    return mapping(
        "One party whose tokens are accepted.",
        fields,
        ("profile",),
        allOf=[
            _where(
                audience_is_client_id,
                {"required": ["client_ids"]},
                {"required": ["audiences"], **_without("client_ids")},
            ),
            _where(["cognito"], _any_required("user_pool_id", "issuer"), _without("user_pool_id")),
            _where(must_name, {"required": ["issuer"]}),
            _where(["cognito"], {}, _without("replica_regions")),
            _where(workloads, {"properties": {"scope_claims": False, "groups_claim": False}}),
            _where(templated, {"anyOf": [{"required": ["issuer"]}, {"required": ["tenants"]}]}),
        ],
        **{"not": {"required": ["jwks_uri", "jwks_file"]}},
    )


def _where(profiles: list[str], then: Schema, otherwise: Schema | None = None) -> Schema:
    condition = {"properties": {"profile": {"enum": profiles}}, "required": ["profile"]}
    return {"if": condition, "then": then, **({"else": otherwise} if otherwise is not None else {})}


def _without(name: str) -> dict[str, Any]:
    return {"properties": {name: False}}


def _any_required(*names: str) -> Schema:
    return {"anyOf": [{"required": [name]} for name in names]}


def _policy_fields() -> dict[str, Schema]:
    return {
        "issuers": _ISSUERS_OF_POLICY,
        "token_use": one_of(
            "Which kind of token: `access` where the profile knows the notion.", ("access", "id", "any")
        ),
        "scopes": membership(_SCOPE, "Scopes: one or a list (all of them), or all_of, any_of, none_of."),
        **_CONDITIONS,
        "max_age": duration("How long ago the sign-in may be, else the issue of the token.", 1, MAX_AGE_LIMIT_SECONDS),
        "acr": one_or_more(
            text("One acr value, without spaces.", pattern=SCOPE_PATTERN),
            "Accepted `acr` values: any of them (RFC 9470).",
        ),
        "optional": flag("Whether a request without a token is let through as anonymous."),
        "userinfo": {
            "description": "Ask the issuer's userinfo endpoint about the token; a refusal there refuses the request.",
            "anyOf": [
                {"type": "boolean"},
                mapping(
                    "What becomes of a request when there is no answer.",
                    {"required": flag("Whether it is refused.")},
                    ("required",),
                ),
            ],
        },
        "candidate": text("A second policy that is judged beside this one and only counted."),
    }


def policy() -> Schema:
    """A policy under `policies`."""
    return mapping("What one route demands of a token.", _policy_fields())


def inline_policy() -> Schema:
    """An inline policy instead of a name: `context_extensions: { policy: "{...}" }`."""
    own = {"name": text("Its metric label and log field; `inline` where it has none.")}
    return mapping("An inline policy.", own | _policy_fields())


def authz_section() -> Schema:
    """`node.metadata.authz`."""
    return mapping(
        "Whom authz trusts, and what routes may demand.",
        {
            "issuers": named("The parties whose tokens are accepted, by alias.", _issuer(), minProperties=1),
            "policies": named(
                f"Policies by name. Always there: {', '.join(BUILT_IN)}.",
                policy(),
                propertyNames={"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", "not": {"enum": list(BUILT_IN)}},
            ),
            "forward": {
                "type": "object",
                "description": "Request headers for the service, by name: a claim, a JSON Pointer, "
                f"`@userinfo/NAME`, or one of {', '.join(OWN_VALUES)}.",
                "propertyNames": {"pattern": _HEADER_PATTERN},
                "additionalProperties": text("A verified value."),
                "default": dict(DEFAULT),
            },
            "resource": mapping(
                "This API as a protected resource (RFC 9728): challenges name its metadata.",
                {
                    "id": text("The https URL that clients use for this API, without a fragment."),
                    "scopes": one_or_more(_SCOPE, "Scopes that clients may ask for."),
                    "documentation": text("The URL of a page for developers."),
                },
                ("id",),
            ),
            "proxy": _PROXY,
            "metadata": one_or_more(
                one_of("A field, or `none` alone.", (*METADATA_FIELDS, NO_FIELDS)), "Fields of the dynamic metadata."
            ),
            "max_token_bytes": {
                "type": "integer",
                "minimum": MIN_TOKEN_LIMIT,
                "maximum": MAX_TOKEN_LIMIT,
                "default": MAX_TOKEN_CHARACTERS,
                "description": "The longest accepted token.",
            },
            "revocations_file": text("A list of tokens that are refused although they are good."),
        },
        ("issuers",),
    )
