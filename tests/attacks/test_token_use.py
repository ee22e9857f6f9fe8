"""What a header or a claim says of a token's use never turns one kind of token into another (RFC 8725 section 3.11)."""

from __future__ import annotations

import pytest

from authz.core.reasons import Reason
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, PARTNER_KEY, PARTNER_KID, Rig, access_claims, partner_claims
from tests.fakes.keys import sign


@pytest.mark.parametrize(
    "typ", ["access", "id", "ACCESS", "any", "default", "unsaid", "logout+jwt", "dpop+jwt", "at+jwts"]
)
@pytest.mark.parametrize("use", ["access", "refresh", None, 1])
@pytest.mark.parametrize("policy", ["authenticated", "any-use", "identity"])
def test_typ_that_names_another_kind_is_refused_whatever_the_claim_says(typ: str, use: object, policy: str) -> None:
    token = sign(COGNITO_KEY, access_claims(token_use=use), kid=COGNITO_KID, typ=typ)

    assert Rig().reason(token, policy) is Reason.TOKEN_USE_MISMATCH


@pytest.mark.parametrize("typ", ["access", "id", "refresh", "logout+jwt"])
def test_typ_that_names_another_kind_is_refused_where_no_claim_tells_the_use(typ: str) -> None:
    token = sign(PARTNER_KEY, partner_claims(), kid=PARTNER_KID, typ=typ)

    assert Rig().reason(token, "any-use") is Reason.TOKEN_USE_MISMATCH
