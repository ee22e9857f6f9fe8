"""The steps shown and the check itself come to the same end, for every reason a request can meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from authz.core import revocations
from authz.core.check import decide
from authz.core.policy import POLICY_CHECKS as CORE_CHECKS
from authz.core.policy import check_issuer
from authz.core.reasons import Reason
from authz.terminal import Style
from authz.tools.explain.advice import advise
from authz.tools.explain.explanation import Explanation, explain
from authz.tools.explain.explanation_output import data, text
from authz.tools.explain.steps import _TEXTS, IDENTITY_STEPS, LOOKUP_STEPS
from authz.tools.fixed_sources import FixedRevocations
from tests.fakes.checks import COGNITO, NOW, FixedKeys, Rig, access_token, check_request, id_token, partner_token
from tests.fakes.keys import rsa_key, sign

_GUEST: dict[str, Any] = {"cognito:groups": ["guests"]}
_RS512 = sign(rsa_key(), {"iss": COGNITO, "exp": NOW}, kid="k", alg="RS512")
_TRAP: dict[str, Any] = {"scope": "aws.cognito.signin.user.admin", "cognito:groups": None}
_UNSIGNED_KEYS = {"cognito": FixedKeys(None), "partner": FixedKeys(None)}

CASES = {
    "good token": ("reading", access_token(), "ok", None),
    "no token": ("reading", None, "token_missing", "credentials"),
    "public": ("public", None, "public", None),
    "anonymous": ("optional", None, "anonymous", None),
    "closed": ("deny", access_token(), "denied", "policy"),
    "unknown policy": ("nowhere", None, "policy_invalid", "policy"),
    "no policy": ("", None, "policy_missing", "policy"),
    "mistyped in place": ("{scpoes: [a]}", None, "policy_invalid", "policy"),
    "not one token": ("reading", "a b", "request_malformed", "structure"),
    "not a token": ("reading", "abc", "token_malformed", "structure"),
    "another issuer": ("reading", access_token(iss=COGNITO + "x"), "issuer_unknown", "issuer"),
    "issuer left out": ("cognito-only", partner_token(), "issuer_not_accepted", "issuer accepted"),
    "algorithm": ("reading", _RS512, "algorithm_not_allowed", "algorithm"),
    "unknown key": ("reading", access_token(kid="other"), "key_unknown", "key"),
    "forged": ("reading", access_token(key=rsa_key(7)), "signature_invalid", "signature"),
    "forwarded value unsafe": ("reading", access_token(sub="a\nb"), "token_malformed", "identity"),
    "expired": ("reading", access_token(exp=NOW - 60), "token_expired", "time"),
    "early": ("reading", access_token(nbf=NOW + 60), "token_not_yet_valid", "time"),
    "ID token": ("reading", id_token(), "token_use_mismatch", "token use"),
    "another client": ("reading", access_token(client_id="other"), "audience_mismatch", "audience"),
    "old sign-in": ("recent", access_token(auth_time=NOW - 3600), "token_too_old", "max_age"),
    "no group": ("staff", access_token(**_GUEST), "claim_mismatch", "claims, groups"),
    "no scope": ("reading", access_token(scope="openid"), "scope_insufficient", "scopes"),
    "user pools API": ("reading", access_token(**_TRAP), "scope_insufficient", "scopes"),
}  # fmt: skip


def _explain(name: str) -> Explanation:
    policy, token, _reason, _step = CASES[name]
    return explain(Rig().rules, check_request(token, policy), NOW)


@pytest.mark.parametrize("name", CASES)
def test_first_failing_step_is_the_one_that_decides(name: str) -> None:
    explanation = _explain(name)

    _policy, _token, reason, step = CASES[name]
    assert explanation.decision.reason.row.label == reason
    assert (explanation.failed.step if explanation.failed else None) == step
    assert explanation.answer.status == explanation.decision.reason.row.http_status


@pytest.mark.parametrize("name", CASES)
def test_no_signature_and_no_whole_token_is_ever_shown(name: str) -> None:
    token = CASES[name][1] or "no token"
    explanation = _explain(name)

    shown = "\n".join(text(explanation, Style(is_coloured=False))) + str(data(explanation))

    signature = token.rpartition(".")[2]
    assert "." not in token or (token not in shown and signature not in shown)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3]])
def test_every_refusal_comes_with_advice(name: str) -> None:
    assert all(advise(_explain(name).decision, NOW))


def test_every_reason_of_the_table_that_refuses_has_advice() -> None:
    from authz.tools.explain.advice import _OF_IDENTITY, _PLAIN  # noqa: PLC0415 - what stands in the table

    refusing = {reason for reason in Reason if reason.row.outcome != "allow"}

    assert set(_PLAIN) | set(_OF_IDENTITY) == refusing


def test_missing_keys_are_said_to_be_missing() -> None:
    explanation = explain(Rig(sources=_UNSIGNED_KEYS).rules, check_request(access_token(), "reading"), NOW)

    assert explanation.failed is not None
    assert explanation.failed.reason is Reason.KEYS_UNAVAILABLE
    assert "--jwks" in advise(explanation.decision, NOW)[0]


def test_the_user_pools_api_trap_is_explained_with_its_three_ways_out() -> None:
    advice = " ".join(advise(_explain("user pools API").decision, NOW))

    assert "InitiateAuth" in advice
    assert "hosted UI" in advice
    assert "grant" in advice
    assert "pre token generation trigger" in advice
    assert "Ask cognito for" not in advice
    assert "Ask cognito for" in " ".join(advise(_explain("no scope").decision, NOW))


def test_steps_after_the_first_failure_tell_what_else_would_fail() -> None:
    explanation = explain(Rig().rules, check_request(access_token(exp=NOW - 60, scope="openid"), "reading"), NOW)

    verdicts = {line.step: line.verdict for line in explanation.lines}
    assert verdicts["time"] == "fail"
    assert verdicts["audience"] == "would pass"
    assert verdicts["scopes"] == "would fail"


def test_nothing_after_a_bad_signature_is_judged() -> None:
    verdicts = [line.verdict for line in _explain("forged").lines]

    assert verdicts[verdicts.index("fail") + 1 :] == ["not reached"] * (len(verdicts) - verdicts.index("fail") - 1)


def test_every_demand_of_the_core_is_a_step_in_the_cores_order() -> None:
    assert list(_TEXTS) == [demand for demand in CORE_CHECKS if demand is not check_issuer]
    assert [step.name for step in IDENTITY_STEPS[3:5]] == ["revocation", "userinfo"]
    names = [*(step.name for step in LOOKUP_STEPS), *(step.name for step in IDENTITY_STEPS)]
    assert len(set(names)) == len(LOOKUP_STEPS) + len(IDENTITY_STEPS)


@pytest.mark.parametrize("name", CASES)
def test_cached_token_is_explained_like_a_new_one(name: str) -> None:
    policy, token, _reason, _step = CASES[name]
    rules = Rig().rules
    decide(rules, check_request(token, policy), NOW, may_wait=False)

    assert explain(rules, check_request(token, policy), NOW).lines == _explain(name).lines


def test_listed_token_fails_at_the_revocation_step_and_an_unread_list_refuses_all() -> None:
    token = check_request(access_token(), "reading")
    listed = FixedRevocations(revocations.parse(b'{"revoked": [{"jti": "5f0c-jti"}]}'))

    revoked = explain(replace(Rig().rules, revocations=listed), token, NOW)
    unread = explain(replace(Rig().rules, revocations=FixedRevocations(revocations.UNREAD)), token, NOW)

    assert revoked.failed is not None
    assert (revoked.failed.step, revoked.failed.rule) == ("revocation", "not on the list of 1")
    assert unread.decision.reason is Reason.REVOCATIONS_UNAVAILABLE
    assert advise(unread.decision, NOW)


def test_data_holds_what_the_text_says() -> None:
    shown = data(_explain("no scope"))

    assert shown["reason"] == "scope_insufficient"
    assert shown["answer"]["status"] == 403
    assert 'scope="orders/admin orders/read"' in shown["answer"]["headers"]["www-authenticate"]
    assert [check["verdict"] for check in shown["checks"]][-1] == "fail"


def test_terminal_controls_in_a_token_are_not_obeyed() -> None:
    explanation = explain(Rig().rules, check_request(access_token(kid="\x1b[31mred\u202e"), "reading"), NOW)

    assert "\x1b" not in "\n".join(text(explanation, Style(is_coloured=False)))
    assert "\u202e" not in "\n".join(text(explanation, Style(is_coloured=False)))


def _advised(policy: str, **claims: Any) -> list[str]:
    advice: list[str] = data(explain(Rig().rules, check_request(access_token(**claims), policy), NOW))["advice"]
    return advice


def test_everything_that_is_missing_is_advised_and_not_only_the_first() -> None:
    wanted = "{max_age: 15m, groups: [auditors], claims: {dept: sales, /a/b: x}, scopes: {all_of: [q], any_of: [r, s]}}"

    advice = _advised(wanted, exp=NOW - 60, auth_time=NOW - 3600, client_id="other", dept="it")

    assert [line.partition(":")[0] for line in advice] == [
        "Get a fresh token",
        "Ask cognito for a token that is meant for one of",
        "Or, where the token's is yours as well, add it to `client_ids` of the issuer cognito.",
        "Sign in again",
        "Bring a token that meets groups",
        "Bring a token that meets dept",
        "Bring a token that meets /a/b",
        "Ask cognito for all of",
        "No grant of cognito gives q, r, s",
    ]
    assert advice[-2] == "Ask cognito for all of: q, and one of: r, s."


def test_a_claim_that_does_not_meet_the_policy_is_shown_with_its_value() -> None:
    advice = _advised("{claims: {dept: sales, /a/b: x}}", dept="it")

    assert advice == [
        "Bring a token that meets dept: any of sales: this one has dept 'it'.",
        "Bring a token that meets /a/b: any of x: this one has no /a/b.",
    ]


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ([{"a": 1}], "scope has an object in it"),
        (["a b"], "scope has a string in it that is not one scope"),
        ([["a"]], "scope has a list in it"),
        ([None], "scope has null in it"),
        (5, "scope is a number, not a string or a list"),
        ({"a": 1}, "scope is an object, not a string or a list"),
    ],
)
def test_scopes_that_cannot_be_read_are_named(scope: object, said: str) -> None:
    explanation = explain(Rig().rules, check_request(partner_token(scope=scope), "reading"), NOW)

    assert explanation.failed is not None
    assert said in explanation.failed.detail
