"""`userinfo` as operators write it, and what an issuer's answer changes of an identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from authz.core.claims import ClaimName
from authz.core.configuration import compile_configuration
from authz.core.forward import read_forward
from authz.core.identity import Identity, with_userinfo
from authz.core.mapping_reader import MappingReader
from authz.core.policy import judge
from authz.core.problems import ConfigurationError, Problem
from authz.core.reasons import Denied, Reason
from authz.core.userinfo import MAX_ELEMENTS, OtherSubject, UnusableUserinfo, UserinfoMode, parse
from tests.fakes.checks import AUTHZ, NOW, Rig, access_token, authz_with, partner_token

URI = {"userinfo_uri": "https://auth.example.com/oauth2/userInfo"}
KNOWN = authz_with(cognito=URI)


def _with(**policies: Mapping[str, Any]) -> dict[str, Any]:
    return {**KNOWN, "policies": policies}


def _mistakes(authz: Mapping[str, Any]) -> list[Problem]:
    with pytest.raises(ConfigurationError) as mistakes:
        compile_configuration(authz)
    return list(mistakes.value.problems)


def _partner() -> Identity:
    identity = Rig().decide(partner_token(groups=["guests"])).identity
    assert identity is not None
    return identity


# --- as the issuer sends it


@pytest.mark.parametrize("document", [b"[]", b'"a"', b"1", b"null"])
def test_an_answer_that_is_no_object_cannot_be_used(document: bytes) -> None:
    with pytest.raises(UnusableUserinfo, match=r"^the answer is not an object$"):
        parse(document, "a")


def test_an_answer_is_used_where_it_is_about_the_very_subject() -> None:
    assert parse(b'{"sub":"a","email":"a@example.com"}', "a") == {"sub": "a", "email": "a@example.com"}
    for document, subject in ((b'{"sub":"a"}', "A"), (b'{"sub":""}', ""), (b"{}", ""), (b'{"sub":["a"]}', "a")):
        with pytest.raises(OtherSubject, match=r"^the answer's sub is not the token's$"):
            parse(document, subject)


def test_an_answer_that_is_no_json_cannot_be_used_and_says_which_rule_it_breaks() -> None:
    with pytest.raises(UnusableUserinfo, match=r"^the answer is not JSON$"):
        parse(b"<html>", "a")


def test_an_answer_can_have_more_elements_than_a_token_up_to_a_bound() -> None:
    others = MAX_ELEMENTS - 5  # the commas between the groups; a brace, two colons, a comma and a bracket are the rest
    largest = {"sub": "a", "groups": ["g"] * (others + 1)}

    assert parse(json.dumps(largest).encode(), "a") == largest
    with pytest.raises(UnusableUserinfo, match=r"^the answer is too many elements$"):
        parse(json.dumps({**largest, "groups": ["g"] * (others + 2)}).encode(), "a")


def test_the_headers_of_an_identity_stay_when_userinfo_has_nothing_for_them() -> None:
    identity = Rig().decide(access_token()).identity
    assert identity is not None

    assert with_userinfo(identity, {}, read_forward(None)).headers == identity.headers


# --- as it is written


@pytest.mark.parametrize(
    ("written", "asking"),
    [
        (True, UserinfoMode.REQUIRED),
        ({"required": True}, UserinfoMode.REQUIRED),
        ({"required": False}, UserinfoMode.OPTIONAL),
        (False, None),
    ],
)
def test_policy_says_whether_the_issuer_is_asked_and_whether_it_must_answer(
    written: object, asking: UserinfoMode | None
) -> None:
    assert compile_configuration(_with(asked={"userinfo": written})).policies["asked"].userinfo is asking


@pytest.mark.parametrize(
    "written", ["yes", None, [], {}, {"required": "no"}, {"required": False, "cache": "1m"}], ids=str
)
def test_anything_else_is_a_mistake_at_its_place(written: object) -> None:
    assert all(
        mistake.path[:3] == ("policies", "asked", "userinfo")
        for mistake in _mistakes(_with(asked={"userinfo": written}))
    )


@pytest.mark.parametrize(
    ("conditions", "place"),
    [
        ({"claims": {"@userinfo/blocked": {"none_of": [True]}}}, ("claims", "@userinfo/blocked")),
        ({"groups": {"none_of": ["blocked"]}}, ("groups",)),
        ({"groups": "staff"}, ("groups",)),
    ],
    ids=str,
)
def test_a_condition_that_a_missing_response_could_meet_needs_a_response(
    conditions: dict[str, Any], place: tuple[str, ...]
) -> None:
    (mistake,) = _mistakes(_with(asked={"userinfo": {"required": False}, **conditions}))

    problem, fix = "a failed userinfo query would allow the request", "Write `userinfo: true`."
    assert mistake == Problem(("policies", "asked", *place), problem, fix, on_key=True)
    assert compile_configuration(_with(asked={"userinfo": True, **conditions}))


@pytest.mark.parametrize(
    "conditions",
    [
        {"claims": {"@userinfo/tier": "gold"}},
        {"claims": {"@userinfo/tier": {"any_of": ["gold"], "none_of": ["blocked"]}}},
        {"claims": {"tier": {"none_of": ["blocked"]}}},
    ],
    ids=str,
)
def test_a_condition_that_a_missing_response_does_not_meet_needs_none(conditions: dict[str, Any]) -> None:
    assert compile_configuration(_with(asked={"userinfo": {"required": False}, **conditions}))


def test_endpoint_is_the_one_that_is_written_or_the_one_that_discovery_names() -> None:
    issuers = compile_configuration(authz_with(cognito=URI, partner={"ca_file": "/ca.pem"})).issuers.by_alias

    cognito, partner = issuers["cognito"].userinfo, issuers["partner"].userinfo
    assert cognito is not None
    assert (cognito.uri, cognito.discovery) == (URI["userinfo_uri"], "")
    assert partner is not None
    assert (partner.uri, partner.discovery, partner.ca_file) == (
        "",
        "https://idp.example.com/realms/partner",
        "/ca.pem",
    )


def test_asking_an_issuer_whose_endpoint_cannot_be_known_is_a_mistake_that_names_it() -> None:
    (mistake,) = _mistakes({**AUTHZ, "policies": {"asked": {"userinfo": True}}})

    assert mistake.path == ("policies", "asked", "userinfo")
    assert mistake.message == "no userinfo endpoint is known for issuer cognito"
    assert "userinfo_uri" in mistake.fix


def test_only_the_issuers_that_the_policy_takes_need_an_endpoint() -> None:
    written = {**AUTHZ, "policies": {"asked": {"userinfo": True, "issuers": "partner"}}}

    assert compile_configuration(written).policies["asked"].userinfo is UserinfoMode.REQUIRED


def test_issuer_with_its_keys_in_a_file_has_no_endpoint_that_could_be_discovered() -> None:
    authz = authz_with(partner={"jwks_file": "/keys.json"})

    assert compile_configuration(authz).issuers.by_alias["partner"].userinfo is None


def test_workload_issuer_has_no_userinfo_endpoint() -> None:
    ci = {"profile": "gitlab-ci", "audiences": ["orders"]}

    assert compile_configuration(authz_with(ci=ci)).issuers.by_alias["ci"].userinfo is None
    assert any(mistake.path[-1] == "userinfo_uri" for mistake in _mistakes(authz_with(ci=ci | URI)))


@pytest.mark.parametrize(
    "uri", ["http://auth.example.com/u", "ftp://auth.example.com", "auth.example.com", "https://u:p@h/"]
)
def test_endpoint_that_is_not_an_https_url_is_a_mistake(uri: str) -> None:
    (mistake,) = _mistakes(authz_with(cognito={"userinfo_uri": uri}))

    assert mistake.path == ("issuers", "cognito", "userinfo_uri")


def test_condition_on_an_answer_that_the_policy_does_not_ask_for_is_a_mistake() -> None:
    (mistake,) = _mistakes(_with(plain={"claims": {"@userinfo/email_verified": True}}))

    assert mistake.path == ("policies", "plain", "claims", "@userinfo/email_verified")
    assert mistake.fix == "Add `userinfo: true` to it."


def test_grant_cannot_depend_on_an_answer() -> None:
    grant = {"when": {"claims": {"@userinfo/department": "sales"}}, "scopes": ["orders/read"]}

    (mistake,) = _mistakes(authz_with(cognito={**URI, "grants": [grant]}))

    assert mistake.message == "a grant depends on the token alone"


def test_candidate_with_another_userinfo_than_its_policy_is_a_mistake() -> None:
    for first, second in ((True, False), (False, True), (True, {"required": False})):
        (mistake,) = _mistakes(_with(now={"userinfo": first, "candidate": "next"}, next={"userinfo": second}))

        assert mistake.path == ("policies", "now", "candidate")
        assert mistake.message == "the candidate and its policy differ in `userinfo`"


# --- the name of a claim from there


def test_claim_of_an_answer_is_named_by_a_pointer_behind_the_prefix() -> None:
    name = ClaimName.parse("@userinfo/address/country")

    assert (name.tokens, name.is_from_userinfo) == (("address", "country"), True)
    assert not ClaimName.parse("/@userinfo/email").is_from_userinfo
    assert not ClaimName.parse("email").is_from_userinfo


@pytest.mark.parametrize("text", ["@userinfo", "@userinfo.email", "@userinfo/a~2"])
def test_name_without_a_pointer_behind_the_prefix_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON Pointer"):
        ClaimName.parse(text)


def test_answer_can_be_forwarded_and_an_unknown_own_value_cannot() -> None:
    found: list[Problem] = []

    forward = read_forward(MappingReader({"x-auth-email": "@userinfo/email", "x-auth-x": "@userinf/email"}, (), found))

    assert "x-auth-email" in forward.guarded
    assert [mistake.path for mistake in found] == [("x-auth-x",)]


# --- what an answer is


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"[]", b'"sub"', b"\xff", b'{"sub": "a", "sub": "a"}', b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"],
)
def test_what_is_not_one_json_object_is_no_answer(document: bytes) -> None:
    with pytest.raises(UnusableUserinfo) as unusable:
        parse(document, "a")

    assert not isinstance(unusable.value, OtherSubject)


@pytest.mark.parametrize(
    ("answer", "subject"),
    [({"sub": "b"}, "a"), ({"sub": "A"}, "a"), ({}, "a"), ({"sub": ["a"]}, "a"), ({"sub": ""}, ""), ({}, "")],
    ids=str,
)
def test_answer_about_another_subject_is_never_used(answer: dict[str, Any], subject: str) -> None:
    with pytest.raises(OtherSubject):
        parse(json.dumps(answer).encode(), subject)


# --- effects


def test_claims_of_the_answer_meet_the_conditions_that_name_it_and_no_others() -> None:
    policies = compile_configuration(
        _with(
            told={"userinfo": True, "claims": {"@userinfo/department": "sales"}},
            token={"userinfo": True, "claims": {"department": "sales"}},
        )
    ).policies
    identity = with_userinfo(_partner(), {"sub": "partner-user", "department": "sales"}, read_forward(None))

    judge(identity, policies["told"], NOW)
    with pytest.raises(Denied) as denied:
        judge(identity, policies["token"], NOW)
    assert denied.value.reason is Reason.CLAIM_MISMATCH


def test_claim_of_the_token_never_passes_for_one_of_the_answer() -> None:
    policy = compile_configuration(_with(told={"userinfo": True, "claims": {"@userinfo/a": "b"}})).policies["told"]
    token = partner_token(**{"@userinfo": {"a": "b"}, "@userinfo/a": "b", "a": "b"})
    identity = Rig().decide(token).identity
    assert identity is not None

    with pytest.raises(Denied) as denied:
        judge(with_userinfo(identity, {"sub": "partner-user"}, read_forward(None)), policy, NOW)

    assert denied.value.reason is Reason.CLAIM_MISMATCH


def test_groups_of_the_answer_take_the_place_of_the_tokens_and_stay_where_it_has_none() -> None:
    identity = _partner()

    assert with_userinfo(identity, {"groups": ["staff"]}, read_forward(None)).groups == frozenset({"staff"})
    assert with_userinfo(identity, {"groups": []}, read_forward(None)).groups == frozenset()
    assert with_userinfo(identity, {"groups": "staff"}, read_forward(None)).groups == frozenset({"staff"})
    assert with_userinfo(identity, {"groups": 5}, read_forward(None)).groups is None
    assert with_userinfo(identity, {}, read_forward(None)).groups == frozenset({"guests"})


def test_scopes_are_never_taken_from_the_answer() -> None:
    assert with_userinfo(_partner(), {"scope": "admin"}, read_forward(None)).scopes == {"orders/read"}


def test_claims_of_the_answer_are_forwarded_beside_those_of_the_token() -> None:
    forward = read_forward(MappingReader({"x-email": "@userinfo/email", "x-sub": "sub", "x-by": "@issuer"}, (), []))

    told = with_userinfo(_partner(), {"email": "jo@example.com", "sub": "other"}, forward)
    untold = with_userinfo(_partner(), {}, forward)

    assert dict(told.headers) == {"x-email": "jo@example.com", "x-sub": "partner-user", "x-by": "partner"}
    assert "x-email" not in dict(untold.headers)


def test_answer_that_is_not_safe_in_a_header_is_refused() -> None:
    forward = read_forward(MappingReader({"x-name": "@userinfo/name"}, (), []))

    with pytest.raises(Denied) as denied:
        with_userinfo(_partner(), {"name": "Jo\r\nx-admin: 1"}, forward)

    assert denied.value.reason is Reason.TOKEN_MALFORMED


# --- problems


@pytest.mark.parametrize(
    ("written", "below", "problem", "fix"),
    [
        (
            "yes",
            (),
            "true or a mapping is needed, not 'yes'",
            "Write `userinfo: true`, or `userinfo: { required: false }`.",
        ),
        ({}, (), "required is missing", "Write `required: false`, or `userinfo: true`."),
    ],
)
def test_userinfo_that_says_neither_is_a_mistake_with_its_cure(
    written: object, below: tuple[str, ...], problem: str, fix: str
) -> None:
    policies = {"p": {"issuers": "cognito", "userinfo": written}}

    assert _mistakes(_with(**policies)) == [Problem(("policies", "p", "userinfo", *below), problem, fix)]


def test_an_issuer_without_an_endpoint_is_named_with_the_cure() -> None:
    policies = {"p": {"issuers": "cognito", "userinfo": True}}

    assert _mistakes({"issuers": {"cognito": AUTHZ["issuers"]["cognito"]}, "policies": policies}) == [
        Problem(
            ("policies", "p", "userinfo"),
            "no userinfo endpoint is known for issuer cognito",
            "Add `userinfo_uri` to the issuer, or list other issuers in the policy's `issuers`.",
        )
    ]


def test_a_candidate_that_asks_otherwise_is_a_mistake_with_its_cure() -> None:
    asking = {"issuers": "cognito", "userinfo": True, "candidate": "q"}

    assert _mistakes(_with(p=asking, q={"issuers": "cognito"})) == [
        Problem(
            ("policies", "p", "candidate"),
            "the candidate and its policy differ in `userinfo`",
            "Write the same `userinfo` in both, or in neither.",
        )
    ]
