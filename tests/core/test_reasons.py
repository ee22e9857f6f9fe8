"""The closed table of reasons: each row has a request that produces it, lawful values and a meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from authz.core import revocations
from authz.core.check import decide
from authz.core.decision import Decision
from authz.core.key_lookup import KeyLookup
from authz.core.reasons import USER_POOLS_API_TEXT, Denied, Reason
from authz.server.check_service import CheckService
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.served_rules import ServedRules
from authz.sources.background import Background
from tests.fakes.checks import (
    AUTHZ,
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    PARTNER_KEY,
    PARTNER_KID,
    FixedKeys,
    Rig,
    access_claims,
    access_token,
    check_request,
    id_token,
    key_set,
    partner_token,
)
from tests.fakes.handler import FakeCall
from tests.fakes.keys import rsa_key, sign

DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
"""RFC 6750 section 3: what `error_description` and `scope` may hold, and RFC 6749 what `error` may."""

ERRORS = {"", "invalid_request", "invalid_token", "insufficient_scope", "insufficient_user_authentication"}


def _plain(token: str | None, policy: str = "authenticated") -> Callable[[], Decision]:
    return lambda: Rig().decide(token, policy)


def _two_credentials() -> Decision:
    return Rig().decide(None, authorization="Bearer a,Bearer b")


def _without_keys() -> Decision:
    return Rig(AUTHZ, {"cognito": FixedKeys(None), "partner": FixedKeys(None)}).decide(access_token())


def _revoked(listed: revocations.Revocations) -> Decision:
    rig = Rig()
    rules = ServedRules.of(rig.configuration, "orders-api", KeyLookup(rig.sources), SimpleNamespace(current=listed))
    return decide(rules, check_request(access_token()), NOW, may_wait=False)


def _handled(answer: Callable[[CheckService], bytes | None], rules: ServedRules | None = None) -> Decision:
    """What the handler around `decide` observed."""
    observed: list[Decision] = []
    background = Background()
    try:
        check = CheckService(
            rules or Rig().rules, background, lambda decision, _seconds, _call: observed.append(decision)
        )
        answer(check)
    finally:
        background.stop()
    return observed[0]


def _broken() -> Decision:
    good = Rig().rules
    rules = replace(good, policies=None)  # type: ignore[arg-type]
    return _handled(lambda check: check(check_request(access_token()), FakeCall()), rules)


def _userinfo_silent() -> Decision:
    authz = {**AUTHZ, "policies": {"asking": {"userinfo": True}}}
    authz["issuers"] = {"partner": {**AUTHZ["issuers"]["partner"], "userinfo_uri": "https://idp.example.com/userinfo"}}
    rig = Rig(authz, {"partner": FixedKeys(key_set(**{PARTNER_KID: PARTNER_KEY}))})
    silent = SimpleNamespace(find=lambda _token, _subject: None, ask=lambda _token, _subject: None)
    rules = ServedRules.of(rig.configuration, "orders-api", KeyLookup(rig.sources), userinfo={"partner": silent})
    return decide(rules, check_request(partner_token(), "asking"), NOW, may_wait=False)


PRODUCED: dict[Reason, Callable[[], Decision]] = {
    Reason.OK: _plain(access_token()),
    Reason.PUBLIC: _plain(None, "public"),
    Reason.ANONYMOUS: _plain(None, "optional"),
    Reason.OVERLOADED: lambda: _handled(lambda check: check.overloaded(FakeCall())),
    Reason.REQUEST_MALFORMED: _two_credentials,
    Reason.POLICY_MISSING: _plain(access_token(), ""),
    Reason.POLICY_INVALID: _plain(access_token(), "no-such-policy"),
    Reason.DENIED: _plain(access_token(), "deny"),
    Reason.TOKEN_MISSING: _plain(None),
    Reason.TOKEN_MALFORMED: _plain("a.b.c"),
    Reason.ISSUER_UNKNOWN: _plain(access_token(iss="https://evil.example")),
    Reason.ISSUER_NOT_ACCEPTED: _plain(partner_token(), "cognito-only"),
    Reason.ALGORITHM_NOT_ALLOWED: _plain(sign(COGNITO_KEY, access_claims(), kid=COGNITO_KID, alg="RS512")),
    Reason.KEYS_UNAVAILABLE: _without_keys,
    Reason.KEY_UNKNOWN: _plain(access_token(kid="another")),
    Reason.SIGNATURE_INVALID: _plain(access_token(key=rsa_key(3))),
    Reason.TOKEN_BOUND: _plain(access_token(cnf={"jkt": "x"}), "authenticated"),
    Reason.TOKEN_EXPIRED: _plain(access_token(exp=NOW - 3600)),
    Reason.TOKEN_NOT_YET_VALID: _plain(access_token(nbf=NOW + 3600)),
    Reason.TOKEN_USE_MISMATCH: _plain(id_token()),
    Reason.AUDIENCE_MISMATCH: _plain(access_token(client_id="another")),
    Reason.TOKEN_REVOKED: lambda: _revoked(revocations.parse(b'{"revoked":[{"jti":"5f0c-jti"}]}')),
    Reason.REVOCATIONS_UNAVAILABLE: lambda: _revoked(revocations.UNREAD),
    Reason.USERINFO_UNAVAILABLE: _userinfo_silent,
    Reason.TOKEN_TOO_OLD: _plain(access_token(auth_time=NOW - 3600), "recent"),
    Reason.ACR_INSUFFICIENT: _plain(access_token(acr="urn:cognito:loa:1"), "strong"),
    Reason.CLAIM_MISMATCH: _plain(partner_token(), "staff"),
    Reason.SCOPE_INSUFFICIENT: _plain(access_token(scope="openid"), "reading"),
    Reason.INTERNAL_ERROR: _broken,
}


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.row.label)
def test_every_row_has_a_request_that_produces_it_and_an_answer_that_says_so(reason: Reason) -> None:
    decision = PRODUCED[reason]()
    response = pb.CheckResponse.FromString(Rig().rules.renderer.render(decision))

    assert decision.reason is reason
    assert response.dynamic_metadata.fields["reason"].string_value == reason.row.label
    if reason.row.outcome == "allow":
        assert response.WhichOneof("http_response") == "ok_response"
        assert response.status.code == 0
    else:
        assert response.WhichOneof("http_response") == "denied_response"
        assert response.status.code != 0
        assert response.denied_response.status.code == reason.row.http_status
        assert json.loads(response.denied_response.body)["error_description"] == reason.row.text


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.row.label)
def test_every_row_has_lawful_values(reason: Reason) -> None:
    row = reason.row

    assert row.label == reason.name.lower()
    assert row.error in ERRORS
    assert DESCRIPTION.fullmatch(row.text)
    assert row.meaning.endswith(".")
    if row.outcome == "allow":
        assert (row.http_status, row.error, row.text) == (200, "", "")
    else:
        assert row.text
        assert not row.text.endswith(".")


def test_statuses_and_errors_go_together_as_rfc_6750_says() -> None:
    """MappingReader 3.1: invalid_request is 400, invalid_token 401, insufficient_scope 403. RFC 9470 section 3: 401."""
    status = {
        "invalid_request": 400,
        "invalid_token": 401,
        "insufficient_user_authentication": 401,
        "insufficient_scope": 403,
    }

    assert all(status[reason.row.error] == reason.row.http_status for reason in Reason if reason.row.error)
    for reason in Reason:
        assert (reason.row.outcome == "error") == (reason.row.http_status in {500, 503})


def test_labels_are_one_each() -> None:
    labels = [reason.row.label for reason in Reason]

    assert len(set(labels)) == len(labels) == len(PRODUCED)


def test_the_text_for_user_pools_api_tokens_is_lawful_too() -> None:
    assert DESCRIPTION.fullmatch(USER_POOLS_API_TEXT)


def test_every_row_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "reasons.md").read_text(encoding="utf-8")

    assert all(f"`{reason.row.label}`" in documented and reason.row.meaning in documented for reason in Reason)


def test_a_refusal_carries_its_rows_text_unless_it_has_one_of_its_own() -> None:
    plain, own = Denied(Reason.TOKEN_EXPIRED), Denied(Reason.SCOPE_INSUFFICIENT, "detail", text="own")

    assert (plain.reason, plain.detail, plain.text) == (Reason.TOKEN_EXPIRED, "", Reason.TOKEN_EXPIRED.row.text)
    assert (own.reason, own.detail, own.text) == (Reason.SCOPE_INSUFFICIENT, "detail", "own")
    assert own.args == (Reason.SCOPE_INSUFFICIENT, "detail")
