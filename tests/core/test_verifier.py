"""From unverified to verified: one key of the issuer's, for one algorithm of the operator's."""

from __future__ import annotations

import pytest

from authz.core import keyset, token
from authz.core.configuration import compile_configuration
from authz.core.keyset import Key
from authz.core.reasons import Denied, Reason
from authz.core.signature_algorithms import ALGORITHMS
from authz.core.verifier import require_algorithm, verify
from tests.fakes.checks import COGNITO_KEY, COGNITO_KID, access_claims, access_token, authz_with
from tests.fakes.keys import base64url, jwk, jwks, rsa_key, sign, sign_raw

ISSUERS = compile_configuration(authz_with(cognito={"algorithms": ["RS256", "PS256"]})).issuers


def _key(alg: str | None, number: int = 0) -> Key:
    return keyset.parse(jwks(jwk(rsa_key(number), COGNITO_KID, alg=alg)), ALGORITHMS, distinct_kids=True).keys[
        COGNITO_KID
    ]


def test_claims_come_out_as_they_were_signed() -> None:
    assert verify(token.parse(access_token()), _key("RS256")) == access_claims()


def test_a_signature_of_another_key_of_the_same_kind_is_invalid() -> None:
    with pytest.raises(Denied) as denied:
        verify(token.parse(access_token()), _key("RS256", 1))

    assert denied.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("alg", ["PS256", "RS384", "RS512"])
def test_a_good_signature_of_another_algorithm_than_the_keys_own_is_refused(alg: str) -> None:
    signed = token.parse(sign(COGNITO_KEY, access_claims(), kid=COGNITO_KID, alg=alg))

    assert verify(signed, _key(alg))
    with pytest.raises(Denied) as denied:
        verify(signed, _key("RS256"))
    assert denied.value.reason is Reason.ALGORITHM_NOT_ALLOWED
    assert denied.value.detail == f"the key is not for {alg}"


def test_a_key_for_several_algorithms_verifies_with_the_one_that_the_token_names() -> None:
    by_pss = token.parse(sign_raw(COGNITO_KEY, b'{"alg":"RS256","kid":"k"}', b'{"iss":"i","exp":1}', alg="PS256"))

    with pytest.raises(Denied) as denied:
        verify(by_pss, _key(None))
    assert denied.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_an_algorithm_of_the_issuers_list_goes_on(alg: str) -> None:
    require_algorithm(token.parse(sign(COGNITO_KEY, access_claims(), kid="k", alg=alg)), ISSUERS.by_alias["cognito"])


@pytest.mark.parametrize("alg", ["RS384", "ES256", "HS256", "none", "None", "rs256", "RS256 ", "EdDSA", "x" * 100])
def test_any_other_algorithm_is_refused_whatever_the_key_could_do(alg: str) -> None:
    header = base64url(f'{{"alg":"{alg}","kid":"k"}}'.encode())
    unverified = token.parse(header + "." + base64url(b'{"iss":"i","exp":1}') + ".AA")

    with pytest.raises(Denied) as denied:
        require_algorithm(unverified, ISSUERS.by_alias["cognito"])

    assert denied.value.reason is Reason.ALGORITHM_NOT_ALLOWED
    assert denied.value.detail == f"alg is {alg!r:.40}"
