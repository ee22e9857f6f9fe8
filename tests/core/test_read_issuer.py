"""An issuer as operators write it: the meaning of each field, and the problem reported if it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.issuers import KeyLocation
from authz.core.problems import Problem
from authz.core.profiles import PROFILES
from authz.core.read_issuer import MAX_IDENTIFIER_CHARACTERS
from authz.core.signature_algorithms import ALGORITHMS
from tests.fakes.checks import CLIENT, COGNITO, PARTNER, POOL
from tests.fakes.written_issuers import HTTP, PARTNER_FIELDS, POOL_FIELDS, good, read, wrong

ALL_PROFILES = ", ".join(PROFILES)


def test_a_user_pool_needs_its_id_and_its_clients_and_nothing_else() -> None:
    issuer = good(POOL_FIELDS)

    assert issuer.alias == "idp"
    assert issuer.profile.name == "cognito"
    assert issuer.identifiers == {COGNITO, f"https://issuer-cognito-idp.ap-northeast-1.amazonaws.com/{POOL}"}
    assert (issuer.client_ids, issuer.audiences) == (frozenset({CLIENT}), frozenset())
    assert (issuer.algorithms, issuer.leeway_seconds, issuer.grants) == (frozenset({"RS256"}), 10.0, ())
    assert issuer.keys == KeyLocation(jwks_uri=f"{COGNITO}/.well-known/jwks.json", distinct_kids=True)


def test_another_provider_needs_its_name_and_our_audiences_and_is_asked_where_its_keys_are() -> None:
    issuer = good(PARTNER_FIELDS)

    assert issuer.identifiers == {PARTNER}
    assert (issuer.client_ids, issuer.audiences) == (None, frozenset({"orders"}))
    assert issuer.algorithms == {"RS256", "ES256"}
    assert issuer.keys == KeyLocation(discovery=PARTNER)


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        ("leeway", [0, "5m"], [-1, "301s", "6m", ".nan", True]),
        ("refresh", ["1s", "1d"], [0, "999ms", "25h"]),
        ("max_stale", ["1s", "7d"], [0, "169h", "8d"]),
    ],
)
def test_times_have_bounds(field: str, accepted: list[Any], refused: list[Any]) -> None:
    for value in accepted:
        good({**PARTNER_FIELDS, field: value})
    for value in refused:
        assert [path for path, _problem, _cure in wrong({**PARTNER_FIELDS, field: value})] == [(field,)]


def test_names_of_a_provider_can_be_several_and_keys_are_where_the_first_one_says() -> None:
    issuer = good({"profile": "cognito", "issuer": [COGNITO + "/", "https://b.example"], "client_ids": "any"})

    assert issuer.identifiers == {COGNITO + "/", "https://b.example"}
    assert issuer.keys.jwks_uri == f"{COGNITO}/.well-known/jwks.json"
    assert issuer.client_ids is None


def test_a_pools_written_name_stands_in_place_of_those_that_its_id_gives() -> None:
    assert good({**POOL_FIELDS, "issuer": "https://login.example.com"}).identifiers == {"https://login.example.com"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {},
            (
                (),
                "profile is missing",
                f"Write `profile:` with one of {ALL_PROFILES}.",
            ),
        ),
        (
            {"profile": "ping"},
            (
                ("profile",),
                f"'ping' is not one of {ALL_PROFILES}",
                f"Known: {ALL_PROFILES}.",
            ),
        ),
    ],
)
def test_without_a_profile_nothing_can_be_read(fields: dict[str, Any], expected: tuple[Any, str, str]) -> None:
    assert read(fields)[0] is None
    assert wrong(fields) == [expected]


@pytest.mark.parametrize(
    ("base", "changes", "expected"),
    [
        (
            POOL_FIELDS,
            {"client_ids": None},
            ((), "client_ids is missing", "List the accepted ones, or write `client_ids: any` to accept all."),
        ),
        (
            PARTNER_FIELDS,
            {"audiences": None},
            ((), "audiences is missing", "List the accepted ones, or write `audiences: any` to accept all."),
        ),
        (
            POOL_FIELDS,
            {"user_pool_id": None},
            ((), "user_pool_id is missing", "Write `user_pool_id: REGION_ID`, as the console shows it."),
        ),
        (
            POOL_FIELDS,
            {"user_pool_id": "AbCdEfGhI"},
            (
                ("user_pool_id",),
                "'AbCdEfGhI' is not a user pool id",
                "Write it as the console shows it: `ap-northeast-1_AbCdEfGhI`.",
            ),
        ),
        (
            POOL_FIELDS,
            {"user_pool_id": 5},
            (("user_pool_id",), "a string is needed, not 5", 'Write `user_pool_id: "..."`.'),
        ),
        (
            PARTNER_FIELDS,
            {"issuer": None},
            ((), "issuer is missing", 'Write `issuer: "https://..."`, exactly as `iss` in its tokens.'),
        ),
        (
            PARTNER_FIELDS,
            {"issuer": "http://idp.example.com"},
            (
                ("issuer",),
                f"no keys can be fetched from 'http://idp.example.com': {HTTP}",
                "Write `jwks_uri`, the https URL of its keys, or `jwks_file`.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"issuer": [PARTNER, 5]},
            (("issuer",), "5 cannot be an `iss`", "Write the exact `iss` of its tokens."),
        ),
        (
            PARTNER_FIELDS,
            {"issuer": "https://*.example.com"},
            (("issuer",), "an issuer cannot have wildcards", "Write the exact `iss` of its tokens."),
        ),
        (
            PARTNER_FIELDS,
            {"audiences": ["a*"]},
            (("audiences",), "'a*' is not an exact value", "To accept all, write `audiences: any`."),
        ),
        (
            PARTNER_FIELDS,
            {"audiences": ["any", "a"]},
            (("audiences",), "'any' is not an exact value", "To accept all, write `audiences: any`."),
        ),
        (
            PARTNER_FIELDS,
            {"audiences": []},
            (("audiences",), "the list is empty", "Name at least one value, or leave the field out."),
        ),
        (
            PARTNER_FIELDS,
            {"algorithms": ["RS256", "HS256"]},
            (
                ("algorithms",),
                "'HS256' is not an accepted algorithm",
                f"Accepted (asymmetric only): {', '.join(ALGORITHMS)}.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"algorithms": "none"},
            (
                ("algorithms",),
                "'none' is not an accepted algorithm",
                f"Accepted (asymmetric only): {', '.join(ALGORITHMS)}.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"algorithms": []},
            (("algorithms",), "the list is empty", "Name at least one value, or leave the field out."),
        ),
        (
            PARTNER_FIELDS,
            {"jwks_uri": "http://keys.example.com"},
            (
                ("jwks_uri",),
                f"'http://keys.example.com' cannot be fetched: {HTTP}",
                "Write an https URL.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"jwks_uri": "https://keys.example.com", "jwks_file": "/keys"},
            (("jwks_file",), "jwks_uri and jwks_file are both set", "Keep one of them."),
        ),
        (PARTNER_FIELDS, {"jwk_uri": "x"}, (("jwk_uri",), "unknown field 'jwk_uri'", "Did you mean `jwks_uri`?")),
        (
            PARTNER_FIELDS,
            {"grants": {}},
            (("grants",), "a list is needed, not a mapping", "Write one `- ` line per entry."),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {"groups": "a"}}]},
            (("grants", 0), "scopes is missing", "Write the scopes that the grant adds."),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {"groups": "a"}, "scopes": "a b"}]},
            (("grants", 0, "scopes"), "'a b' is not one scope", "Write one scope per entry, without spaces."),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {}, "scopes": "a"}]},
            (
                ("grants", 0, "when"),
                "the condition is empty",
                "Name groups or claims. Otherwise every token gets the scopes.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {"scopes": "a", "groups": "b"}, "scopes": "a"}]},
            (
                ("grants", 0, "when", "scopes"),
                "a grant cannot depend on scopes",
                "Name groups or claims. A grant that depends on scopes could add scopes to itself.",
            ),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {"groups": "b"}, "scopes": "a", "scope": "a"}]},
            (("grants", 0, "scope"), "unknown field 'scope'", "Did you mean `scopes`?"),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": {"group": "b", "groups": "b"}, "scopes": "a"}]},
            (("grants", 0, "when", "group"), "unknown field 'group'", "Did you mean `groups`?"),
        ),
        (
            PARTNER_FIELDS,
            {"grants": [{"when": None, "scopes": "a"}]},
            (("grants", 0, "when"), "a mapping is needed here, not nothing", "Write `name: value` lines."),
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_cure(
    base: dict[str, Any], changes: dict[str, Any], expected: tuple[Any, str, str]
) -> None:
    fields = {name: value for name, value in {**base, **changes}.items() if value is not None}

    assert expected in wrong(fields)


CI = {"profile": "circleci", "audiences": ["orders"]}


def test_a_name_that_no_issuer_of_the_kind_has_is_named_with_the_cure_of_the_kind() -> None:
    assert wrong({**CI, "issuer": "https://oidc.circleci.com/org/orders"}) == [
        (
            ("issuer",),
            "'https://oidc.circleci.com/org/orders' is not the URL of a circleci issuer",
            'Write `issuer: "https://oidc.circleci.com/org/ORGANIZATION_ID"`, the id being a UUID.',
        )
    ]


def test_tokens_of_workloads_are_not_taken_with_any_audience() -> None:
    assert wrong({"profile": "github-actions", "audiences": "any"}) == [
        (
            ("audiences",),
            "`audiences: any` would accept github-actions tokens for other services",
            "List the audience that jobs request for this service.",
        )
    ]


def test_an_empty_list_of_names_is_a_mistake_at_its_place() -> None:
    assert wrong({**POOL_FIELDS, "issuer": []})[0][:2] == (("issuer",), "the list is empty")


def test_of_wrong_algorithms_none_is_taken_even_while_the_reading_goes_on() -> None:
    issuer, found = read({**PARTNER_FIELDS, "algorithms": ["RS256", "HS256"]})

    assert found
    assert issuer is not None
    assert issuer.algorithms == {"RS256"}


def test_a_pool_id_of_a_wrong_type_is_not_called_missing_as_well() -> None:
    found = wrong({**POOL_FIELDS, "user_pool_id": 5})

    assert [problem for _path, problem, _cure in found] == ["a string is needed, not 5"]


def test_a_field_of_another_profile_is_unknown() -> None:
    assert [wrong[:2] for wrong in wrong({**PARTNER_FIELDS, "client_ids": ["a"]})] == [
        (("client_ids",), "unknown field 'client_ids'")
    ]


@pytest.mark.parametrize("profile", [name for name, profile in PROFILES.items() if profile.is_workload])
@pytest.mark.parametrize("field", ["scope_claims", "groups_claim", "userinfo_uri"])
def test_a_field_about_users_is_unknown_to_the_profiles_of_workloads(profile: str, field: str) -> None:
    found = wrong({"profile": profile, "audiences": ["orders"], field: "https://idp.example.com/userinfo"})

    assert ((field,), f"unknown field {field!r}") in [wrong[:2] for wrong in found]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "field", ["client_ids", "user_pool_id", "replica_regions", "scope_claims", "groups_claim", "userinfo_uri"]
)
@pytest.mark.parametrize("location", [{}, {"issuer": PARTNER}, {"jwks_uri": "https://keys.example.com"}])
def test_a_field_that_the_profile_refuses_is_never_proposed_as_the_fix(
    profile: str, field: str, location: dict[str, str]
) -> None:
    fields = {"profile": profile, "audiences": ["orders"], **location}
    found = wrong({**fields, field: "a"})
    is_refused = ((field,), f"unknown field {field!r}") in [wrong[:2] for wrong in found]
    fixes = [fix for _path, _problem, fix in found + wrong({**fields, f"{field}x": "a"})]

    assert is_refused is (f"Did you mean `{field}`?" not in fixes)


def test_a_field_that_is_null_is_there_and_wrong() -> None:
    assert wrong({**PARTNER_FIELDS, "audiences": None}) != []
    assert wrong({**PARTNER_FIELDS, "issuer": None}) != []
    assert wrong({**PARTNER_FIELDS, "jwks_uri": None}) != []


def _grant_mistakes(when: dict[str, Any], profile: dict[str, Any] = PARTNER_FIELDS) -> list[Problem]:
    return read({**profile, "grants": [{"when": when, "scopes": "a"}]})[1]


def test_a_grant_that_looks_at_scopes_is_one_mistake_at_the_key() -> None:
    fix = "Name groups or claims. A grant that depends on scopes could add scopes to itself."
    place = ("grants", 0, "when", "scopes")

    assert _grant_mistakes({"scopes": "a", "groups": "b"}) == [
        Problem(place, "a grant cannot depend on scopes", fix, on_key=True)
    ]


def test_a_grant_that_looks_at_userinfo_says_what_to_name_instead() -> None:
    (mistake,) = _grant_mistakes({"claims": {"@userinfo/department": "sales"}})

    assert mistake.fix == "Name a claim of the token."


def test_a_condition_of_unknown_fields_alone_is_not_called_empty_as_well() -> None:
    assert [mistake.message for mistake in _grant_mistakes({"group": "b"})] == ["unknown field 'group'"]


def test_a_grant_that_no_token_can_meet_says_how_it_could_be_met() -> None:
    fields = {"profile": "github-actions", "audiences": ["orders"]}

    (mistake,) = _grant_mistakes({"groups": "staff"}, fields)

    assert mistake == Problem(
        ("grants", 0, "when"),
        "no github-actions token can meet the condition",
        "These tokens have no groups, and `sub`, `repository_id`, `repository_owner_id` are strings. "
        "Put numbers in quotes.",
    )


def test_a_grant_is_its_conditions_and_its_scopes() -> None:
    grants = good(
        {**POOL_FIELDS, "grants": [{"when": {"groups": "a", "claims": {"x": 1}}, "scopes": ["b", "c"]}]}
    ).grants

    assert [grant.scopes for grant in grants] == [{"b", "c"}]
    assert grants[0].when.unmet({"x": 1}, frozenset({"a"})) == ""
    assert grants[0].when.unmet({"x": 2}, frozenset({"a"})) == "claim x"
    assert grants[0].when.unmet({"x": 1}, frozenset()) == "groups"


def test_identifier_of_the_greatest_length_is_accepted_and_a_longer_one_is_not() -> None:
    longest = "https://idp.example.com/".ljust(MAX_IDENTIFIER_CHARACTERS, "a")
    fields = {**PARTNER_FIELDS, "jwks_file": "/keys.json"}

    assert good({**fields, "issuer": longest}).identifiers == {longest}
    assert wrong({**fields, "issuer": f"{longest}a"}) == [
        (("issuer",), f"{longest!r:.60} cannot be an `iss`", "Write the exact `iss` of its tokens.")
    ]


TENANT_A, TENANT_B = "9188040d-6c67-4c5b-b112-36a304b66dad", "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
TEMPLATE = "https://{tenantid}.example.com"
TEMPLATE_FIELDS = {"profile": "oidc", "issuer": TEMPLATE, "audiences": ["orders"], "jwks_file": "/keys.json"}


def test_an_issuer_with_tenants_is_one_identifier_per_tenant() -> None:
    issuer = good({**TEMPLATE_FIELDS, "tenants": [TENANT_B, TENANT_A]})

    assert issuer.identifiers == {f"https://{TENANT_A}.example.com", f"https://{TENANT_B}.example.com"}
    assert (issuer.templates, issuer.accepts_any_tenant) == ((TEMPLATE,), False)


def test_an_issuer_with_any_tenant_is_its_template_alone() -> None:
    issuer = good({**TEMPLATE_FIELDS, "tenants": "any"})

    assert (issuer.identifiers, issuer.templates, issuer.accepts_any_tenant) == (frozenset(), (TEMPLATE,), True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            (
                (),
                "the issuer contains {tenantid}, and tenants is missing",
                "List the tenant ids, or write `tenants: any` to accept the tokens of every tenant.",
            ),
        ),
        *(
            (
                {"issuer": issuer, "tenants": tenants},
                (
                    ("tenants",),
                    "tenants needs an issuer that contains {tenantid}, and no other",
                    "Write `issuer: https://.../{tenantid}/...`, or leave `tenants` out.",
                ),
            )
            for issuer in (PARTNER, [TEMPLATE, PARTNER])
            for tenants in ("any", [TENANT_A])
        ),
        (
            {"tenants": [TENANT_A, "a/b"]},
            (("tenants",), "'a/b' is not a tenant id", "Write the id of the directory, a GUID."),
        ),
    ],
)
def test_tenants_and_an_issuer_that_do_not_agree_are_one_mistake(
    changes: dict[str, Any], expected: tuple[Any, str, str]
) -> None:
    assert wrong({**TEMPLATE_FIELDS, **changes}) == [expected]


@pytest.mark.parametrize(("field", "first"), [("scope_claims", "scope"), ("client_claims", "client_id")])
def test_names_of_claims_are_read_in_their_order_and_a_wrong_one_is_reported(field: str, first: str) -> None:
    assert getattr(good({**PARTNER_FIELDS, field: ["b", "a"]}), field) == ("b", "a")
    assert getattr(good({**PARTNER_FIELDS, field: "b"}), field) == ("b",)
    assert getattr(good(PARTNER_FIELDS), field)[0] == first
    assert wrong({**PARTNER_FIELDS, field: ["b", 5, ""]}) == [
        ((field,), f"{shown} is not a claim name", f"Write `{field}: [{first}]`.") for shown in ("5", "''")
    ]
    assert wrong({**PARTNER_FIELDS, field: []}) == [
        ((field,), "the list is empty", "Name at least one value, or leave the field out.")
    ]


def test_a_groups_claim_that_is_no_name_is_reported_with_two_good_ones() -> None:
    assert wrong({**PARTNER_FIELDS, "groups_claim": "/a/~2"}) == [
        (
            ("groups_claim",),
            "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)",
            "Write a claim's name, or a JSON Pointer such as `/a/roles`.",
        )
    ]
