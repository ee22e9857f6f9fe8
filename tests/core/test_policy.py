"""One identity against one policy at one time."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.policy import (
    BUILT_IN,
    Access,
    Policy,
    PolicyCheck,
    check_audience,
    check_claims,
    check_issuer,
    check_max_age,
    check_scopes,
    check_time,
    check_token_use,
    judge,
)
from authz.core.reasons import USER_POOLS_API_TEXT, Denied, Reason
from tests.fakes.checks import (
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    Rig,
    access_claims,
    access_token,
    authz_with,
    id_token,
    partner_token,
)
from tests.fakes.keys import sign

LEEWAY = 10


def _policy(**fields: Any) -> Policy:
    """A policy with these fields, compiled as an operator writes it."""
    authz = authz_with()
    authz["policies"]["tried"] = fields
    return Rig(authz).configuration.policies["tried"]


def _admin(**changes: Any) -> str:
    """An access token of a user in the group `admins`."""
    claims = access_claims(**{"cognito:groups": ["admins"]}, **changes)
    return sign(COGNITO_KEY, claims, kid=COGNITO_KID)


def _denied(token: str, policy: Policy = BUILT_IN["authenticated"], now: float = NOW) -> Denied | None:
    """How the policy refuses the token, or None if it does not."""
    decision = Rig().decide(token, "any-use", now=NOW)
    assert decision.identity is not None, decision
    try:
        judge(decision.identity, policy, now)
    except Denied as denied:
        return denied
    return None


def _reason(token: str, policy: Policy = BUILT_IN["authenticated"], now: float = NOW) -> Reason:
    denied = _denied(token, policy, now)
    return denied.reason if denied else Reason.OK


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOW + LEEWAY - 0.001, Reason.OK),
        (NOW + LEEWAY, Reason.TOKEN_EXPIRED),
        (NOW + LEEWAY + 0.001, Reason.TOKEN_EXPIRED),
        (NOW + 10**9, Reason.TOKEN_EXPIRED),
    ],
)
def test_on_or_after_exp_and_leeway_is_expired(now: float, reason: Reason) -> None:
    assert _reason(access_token(exp=int(NOW)), now=now) is reason


@pytest.mark.parametrize("exp", [NOW - LEEWAY, NOW - LEEWAY - 0.5, 0, -0.0, 1e-300])
def test_an_exp_at_the_leeway_or_before_is_expired(exp: float) -> None:
    assert Rig().reason(access_token(exp=exp)) is Reason.TOKEN_EXPIRED


def test_an_exp_between_seconds_counts_to_its_fraction() -> None:
    assert Rig().reason(access_token(exp=NOW - LEEWAY + 0.5)) is Reason.OK


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (0, Reason.OK),
        (LEEWAY, Reason.OK),
        (LEEWAY + 0.5, Reason.TOKEN_NOT_YET_VALID),
        (10**9, Reason.TOKEN_NOT_YET_VALID),
    ],
)
def test_a_token_from_the_future_is_not_yet_valid_beyond_the_leeway(claim: str, ahead: float, reason: Reason) -> None:
    times: dict[str, Any] = {claim: NOW + ahead, "exp": NOW + 2 * 10**9}

    assert Rig().reason(access_token(**times)) is reason


def test_a_token_that_says_neither_nbf_nor_iat_has_begun() -> None:
    assert _reason(access_token(iat=None)) is Reason.OK


def test_the_leeway_is_the_issuers_own() -> None:
    rig = Rig(authz_with(cognito={"leeway": 0}, partner={"leeway": "5m"}))

    assert rig.reason(access_token(exp=int(NOW))) is Reason.TOKEN_EXPIRED
    assert rig.reason(access_token(exp=int(NOW) + 1)) is Reason.OK
    assert rig.reason(access_token(nbf=NOW + 0.5)) is Reason.TOKEN_NOT_YET_VALID
    assert rig.reason(partner_token(exp=int(NOW) - 299)) is Reason.OK
    assert rig.reason(partner_token(exp=int(NOW) - 300)) is Reason.TOKEN_EXPIRED
    assert rig.reason(partner_token(nbf=NOW + 300)) is Reason.OK


@pytest.mark.parametrize(
    ("token_use", "access", "identity", "partner"),
    [
        ("default", Reason.OK, Reason.TOKEN_USE_MISMATCH, Reason.OK),
        ("access", Reason.OK, Reason.TOKEN_USE_MISMATCH, Reason.TOKEN_USE_MISMATCH),
        ("id", Reason.TOKEN_USE_MISMATCH, Reason.OK, Reason.TOKEN_USE_MISMATCH),
        ("any", Reason.OK, Reason.OK, Reason.OK),
    ],
)
def test_a_policy_takes_the_use_that_it_names(
    token_use: str, access: Reason, identity: Reason, partner: Reason
) -> None:
    policy = _policy(**({} if token_use == "default" else {"token_use": token_use}))

    assert _reason(access_token(), policy) is access
    assert _reason(id_token(), policy) is identity
    assert _reason(partner_token(), policy) is partner


@pytest.mark.parametrize("policy", ["authenticated", "identity", "any-use"])
def test_a_token_of_any_third_use_is_refused_even_where_any_use_is_taken(policy: str) -> None:
    assert Rig().reason(access_token(token_use="refresh"), policy) is Reason.TOKEN_USE_MISMATCH
    assert Rig().reason(access_token(token_use=None), policy) is Reason.TOKEN_USE_MISMATCH


@pytest.mark.parametrize("said", ["any", "default", "unsaid", "typ jwt", "ACCESS"])
@pytest.mark.parametrize("token_use", ["any", "access", "id"])
def test_a_token_that_names_its_use_in_our_own_words_is_of_no_use_that_exists(token_use: str, said: str) -> None:
    """`any` and `default` are words of policies: in a token they are nothing that a policy could take."""
    assert _reason(access_token(token_use=said), _policy(token_use=token_use)) is Reason.TOKEN_USE_MISMATCH


def test_the_log_says_which_use_was_there_and_which_is_taken() -> None:
    refused = _denied(id_token())
    third = Rig().decide(access_token(token_use="x" * 100))

    assert refused is not None
    assert refused.detail == "the token's use is 'id', the policy takes access"
    assert third.detail == f"the token's use is 'x{'x' * 38}"


def test_a_token_for_another_audience_is_refused_after_time_and_use() -> None:
    rig = Rig()

    assert rig.decide(access_token(client_id="x")).detail == "aud or client_id is not configured for the issuer"
    assert rig.reason(access_token(client_id="x")) is Reason.AUDIENCE_MISMATCH
    assert rig.reason(access_token(client_id="x", token_use="id", exp=1)) is Reason.TOKEN_EXPIRED
    assert rig.reason(access_token(client_id="x", token_use="x")) is Reason.TOKEN_USE_MISMATCH


@pytest.mark.parametrize(
    ("since", "reason"),
    [(900, Reason.OK), (900.5, Reason.TOKEN_TOO_OLD), (0, Reason.OK), (-10, Reason.OK), (-10.5, Reason.TOKEN_TOO_OLD)],
)
def test_a_sign_in_is_recent_up_to_max_age_and_never_from_the_future(since: float, reason: Reason) -> None:
    assert _reason(access_token(auth_time=NOW - since), _policy(max_age="15m")) is reason


def test_where_no_sign_in_is_named_the_time_of_issue_counts_and_without_either_nothing_is_recent() -> None:
    policy = _policy(max_age="15m")
    neither = _denied(access_token(auth_time=None, iat=None), policy)

    assert _reason(access_token(auth_time=None, iat=NOW - 900), policy) is Reason.OK
    assert _reason(access_token(auth_time=None, iat=NOW - 901), policy) is Reason.TOKEN_TOO_OLD
    assert _reason(access_token(auth_time=NOW - 901, iat=NOW), policy) is Reason.TOKEN_TOO_OLD
    assert neither is not None
    assert (neither.reason, neither.detail) == (Reason.TOKEN_TOO_OLD, "the token has neither auth_time nor iat")


def test_the_log_says_how_old_a_sign_in_and_how_late_a_token_is() -> None:
    too_old = _denied(access_token(auth_time=NOW - 1000), _policy(max_age="15m"))
    expired = _denied(access_token(exp=int(NOW)), now=NOW + 25)

    assert too_old is not None
    assert too_old.detail == "1000 s since sign-in"
    assert expired is not None
    assert expired.detail == "25 s past exp"
    assert Rig().decide(access_token(nbf=NOW + 60)).detail == "nbf or iat lies in the future"


def test_a_condition_that_is_not_met_is_named_in_the_log() -> None:
    refused = _denied(access_token(), _policy(claims={"/email/verified": True}))

    assert refused is not None
    assert refused.reason is Reason.CLAIM_MISMATCH
    assert refused.detail == "claim /email/verified does not meet the policy"


@pytest.mark.parametrize(
    ("scopes", "reason"),
    [
        ("orders/read", Reason.OK),
        (["orders/read", "openid"], Reason.OK),
        (["orders/read", "orders/write"], Reason.SCOPE_INSUFFICIENT),
        ({"any_of": ["orders/write", "openid"]}, Reason.OK),
        ({"any_of": ["orders/write"]}, Reason.SCOPE_INSUFFICIENT),
        ({"none_of": ["openid"]}, Reason.SCOPE_INSUFFICIENT),
        ({"none_of": ["orders/write"]}, Reason.OK),
        ("orders", Reason.SCOPE_INSUFFICIENT),
        ("orders/rea", Reason.SCOPE_INSUFFICIENT),
        ("orders/read2", Reason.SCOPE_INSUFFICIENT),
        ("Orders/read", Reason.SCOPE_INSUFFICIENT),
    ],
)
def test_scopes_are_compared_exactly(scopes: object, reason: Reason) -> None:
    assert _reason(access_token(), _policy(scopes=scopes)) is reason


@pytest.mark.parametrize(
    ("acr", "detail"), [(None, "there is no acr"), ("low", "acr is 'low'"), (["high"], "acr is ['high']")]
)
def test_an_acr_that_will_not_do_is_named_in_the_log(acr: object, detail: str) -> None:
    refused = _denied(access_token(acr=acr), _policy(acr=["high"]))

    assert refused is not None
    assert (refused.reason, refused.detail) == (Reason.ACR_INSUFFICIENT, detail)


def test_a_scope_that_is_missing_is_refused_with_what_is_held_for_the_log_alone() -> None:
    refused = _denied(access_token(), _policy(scopes="orders/write"))

    assert refused is not None
    assert refused.detail == "granted: 'openid orders/read'"
    assert refused.text == Reason.SCOPE_INSUFFICIENT.row.text


def test_a_user_pools_api_token_is_told_why_it_can_never_have_the_scope() -> None:
    refused = _denied(access_token(scope="aws.cognito.signin.user.admin"), _policy(scopes="orders/write"))

    assert refused is not None
    assert refused.reason is Reason.SCOPE_INSUFFICIENT
    assert refused.text == USER_POOLS_API_TEXT
    assert refused.detail == "a user pools API token in groups 'staff': no grant of cognito gives orders/write"


def test_one_bad_token_has_one_reason_the_first_in_the_order_of_checks() -> None:
    """Issuer, time, use, audience, age, conditions, scopes: mending one shows the next."""
    policy = _policy(issuers="cognito", max_age="15m", groups="admins", scopes="orders/write")
    faults: dict[str, Any] = {"exp": NOW - 60, "token_use": "x", "client_id": "x", "auth_time": NOW - 1000}
    expected = [Reason.TOKEN_EXPIRED, Reason.TOKEN_USE_MISMATCH, Reason.AUDIENCE_MISMATCH, Reason.TOKEN_TOO_OLD]
    authz = authz_with()
    authz["policies"]["tried"] = {"issuers": "cognito", "max_age": "15m", "groups": "admins", "scopes": "orders/write"}
    rig = Rig(authz)

    assert policy.issuers == frozenset({"cognito"})
    assert rig.reason(partner_token(exp=NOW - 60), "tried") is Reason.ISSUER_NOT_ACCEPTED
    for reason in expected:
        assert rig.reason(access_token(**faults), "tried") is reason
        faults.pop(next(iter(faults)))
    assert rig.reason(access_token(), "tried") is Reason.CLAIM_MISMATCH
    assert rig.reason(_admin(), "tried") is Reason.SCOPE_INSUFFICIENT
    assert rig.reason(_admin(scope="orders/write"), "tried") is Reason.OK


def test_a_policy_accepts_its_issuers_and_says_which_they_are() -> None:
    refused = _denied(partner_token(), _policy(issuers=["cognito"]))

    assert _reason(partner_token(), _policy(issuers=["cognito", "partner"])) is Reason.OK
    assert refused is not None
    assert (refused.reason, refused.detail) == (Reason.ISSUER_NOT_ACCEPTED, "the policy accepts cognito")
    with pytest.raises(Denied) as both:
        Policy("p", issuers=frozenset({"b", "a"})).require_issuer(Rig().configuration.issuers.by_alias["cognito"])
    assert both.value.detail == "the policy accepts a, b"


def test_a_policy_takes_the_issuers_that_it_names_and_all_of_them_where_it_names_none() -> None:
    issuers = Rig().configuration.issuers.by_alias

    assert [_policy(issuers="cognito").accepts_issuer(issuers[alias]) for alias in issuers] == [True, False]
    assert [_policy().accepts_issuer(issuers[alias]) for alias in issuers] == [True, True]


def test_the_built_in_policies_are_a_wall_an_open_door_and_any_good_token() -> None:
    assert {name: policy.access for name, policy in BUILT_IN.items()} == {
        "deny": Access.CLOSED,
        "public": Access.OPEN,
        "authenticated": Access.TOKEN,
    }
    assert all(BUILT_IN[name].name == name for name in BUILT_IN)
    assert BUILT_IN["public"].decide_without_token() is Reason.PUBLIC
    assert [BUILT_IN[name].reads_token for name in ("deny", "public", "authenticated")] == [False, False, True]


def test_without_a_token_only_an_optional_policy_forwards() -> None:
    assert _policy(optional=True).decide_without_token() is Reason.ANONYMOUS
    for policy, reason in (
        (BUILT_IN["authenticated"], Reason.TOKEN_MISSING),
        (_policy(optional=False), Reason.TOKEN_MISSING),
        (BUILT_IN["deny"], Reason.DENIED),
    ):
        with pytest.raises(Denied) as denied:
            policy.decide_without_token()
        assert denied.value.reason is reason


@pytest.mark.parametrize(
    ("fields", "demands"),
    [
        ({}, [check_time, check_token_use, check_audience]),
        ({"issuers": "cognito"}, [check_issuer, check_time, check_token_use, check_audience]),
        ({"max_age": "5m"}, [check_time, check_token_use, check_audience, check_max_age]),
        ({"groups": "staff"}, [check_time, check_token_use, check_audience, check_claims]),
        ({"claims": {"sub": "somebody"}}, [check_time, check_token_use, check_audience, check_claims]),
        ({"scopes": "orders/read"}, [check_time, check_token_use, check_audience, check_scopes]),
        (
            {"issuers": "cognito", "max_age": "5m", "groups": "staff", "scopes": "orders/read"},
            [check_issuer, check_time, check_token_use, check_audience, check_max_age, check_claims, check_scopes],
        ),
    ],
)
def test_a_policy_makes_the_demands_of_every_token_and_those_that_it_names(
    fields: dict[str, Any], demands: list[PolicyCheck]
) -> None:
    policy = _policy(**fields)

    assert [*policy.token_checks, *policy.claim_checks] == demands


@pytest.mark.parametrize("demand", [check_issuer, check_max_age, check_claims, check_scopes])
def test_a_demand_that_a_policy_does_not_make_is_met_by_whoever_comes(demand: PolicyCheck) -> None:
    """`authz explain` shows every demand, whether or not the policy makes it."""
    identity = Rig().decide(access_token(scope="", auth_time=None), "any-use").identity
    assert identity is not None

    demand(identity, BUILT_IN["authenticated"], NOW)


def test_a_policy_is_itself_and_not_what_it_says() -> None:
    """Two policies of the same content are two lines of the operator's, with two counters."""
    assert Policy("a") != Policy("a")
    assert len({Policy("a"), Policy("a")}) == 2
