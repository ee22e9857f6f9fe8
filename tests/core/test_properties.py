"""Properties of every input, not only of the examples in other tests. The same examples in every run."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authz.core import bearer, keyset, strict_json, token
from authz.core.conditions import Membership
from authz.core.configuration import compile_configuration
from authz.core.forward import read_forward
from authz.core.identity import Identity
from authz.core.policy import Policy, judge
from authz.core.problems import ConfigurationError
from authz.core.reasons import Denied, Reason
from authz.core.signature_algorithms import ALGORITHMS
from tests.fakes.checks import AUTHZ, COGNITO_KEY, COGNITO_KID, NOW, Rig, access_claims, access_token, partner_token
from tests.fakes.keys import base64url, sign_raw

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
RIG = Rig()
GOOD = access_token()

fixed = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CLAIMS = (
    "iss",
    "exp",
    "nbf",
    "iat",
    "auth_time",
    "sub",
    "aud",
    "scope",
    "client_id",
    "token_use",
    "cognito:groups",
    "jti",
)
HEADERS = ("alg", "kid", "typ", "cty", "crit", "b64", "zip", "jwk", "jku", "x")
SCOPES = st.frozensets(st.sampled_from(["a", "b", "c", "d", "e"]))


@cache
def _identity(scopes: frozenset[str] = frozenset(), groups: frozenset[str] = frozenset()) -> Identity:
    claims = access_claims(scope=" ".join(sorted(scopes)), **{"cognito:groups": sorted(groups)})
    text = sign_raw(COGNITO_KEY, b'{"alg":"RS256","kid":"cognito-1"}', json.dumps(claims).encode())
    identity = RIG.decide(text).identity
    assert identity is not None
    return identity


def _allows(identity: Identity, policy: Policy, now: float = NOW) -> bool:
    try:
        judge(identity, policy, now)
    except Denied:
        return False
    return True


@fixed
@given(st.binary())
@example(b"\xef\xbb\xbf{}")
@example(b'["\\ud800"]')
def test_no_bytes_make_the_json_reader_raise_anything_of_another_kind(data: bytes) -> None:
    try:
        value = strict_json.loads(data)
    except strict_json.NotStrictJson:
        return
    assert value == json.loads(data)


@fixed
@given(st.text(alphabet='[]{}",:\\u0123 \n1e+-.', max_size=200))
def test_what_the_json_reader_takes_the_standard_library_reads_alike(text: str) -> None:
    try:
        value = strict_json.loads(text.encode())
    except strict_json.NotStrictJson:
        return
    assert value == json.loads(text)


@fixed
@given(JSON)
def test_whatever_json_says_is_read_back_or_refused_for_a_rule(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        try:
            assert strict_json.loads(text.encode("utf-8", "surrogatepass")) == value
        except strict_json.NotStrictJson as refused:
            why = str(refused)
        else:
            continue
        assert why in {"a number too long", "nested too deeply", "NaN or Infinity", "a lone surrogate", "not UTF-8"}


@fixed
@given(st.text() | st.text(alphabet=ALPHABET + ".=~+/ ,", max_size=300) | st.binary().map(base64url))
def test_no_text_in_the_header_makes_a_check_raise_or_lets_it_pass(text: str) -> None:
    decision = RIG.decide(None, authorization=f"Bearer {text}".encode("utf-8", "replace").decode())

    assert decision.reason in {Reason.REQUEST_MALFORMED, Reason.TOKEN_MALFORMED}


@fixed
@given(st.lists(st.text(max_size=20) | st.binary(max_size=20), max_size=3))
def test_no_header_values_make_the_search_for_a_credential_raise_anything_of_another_kind(
    values: list[str | bytes],
) -> None:
    try:
        credential = bearer.find(tuple(values))
        if credential is not None:
            bearer.require_b64token(credential)
    except Denied as denied:
        reason = denied.reason
    else:
        return
    assert reason in {Reason.REQUEST_MALFORMED, Reason.TOKEN_MALFORMED}


@fixed
@given(st.dictionaries(st.sampled_from(HEADERS), JSON), st.dictionaries(st.sampled_from(CLAIMS), JSON))
def test_no_header_and_claims_of_a_good_signature_make_a_check_raise_anything(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    whole = {"alg": "RS256", "kid": COGNITO_KID} | header
    text = sign_raw(
        COGNITO_KEY,
        json.dumps(whole).encode("utf-8", "surrogatepass"),
        json.dumps(access_claims() | claims).encode("utf-8", "surrogatepass"),
    )

    for policy in ("authenticated", "reading", "staff", "any-use", "recent", "identity"):
        decision = RIG.decide(text, policy)
        if decision.reason is Reason.OK:
            assert set(header) <= {"alg", "kid", "typ", "jku", "x"}
            assert decision.identity is not None
            assert decision.identity.use in {"access", "id"}


@fixed
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(ALPHABET + ".=+/~"))
def test_changing_any_one_character_of_a_good_token_denies(at: int, character: str) -> None:
    spoilt = GOOD[:at] + character + GOOD[at + 1 :]

    assert (RIG.reason(spoilt) is Reason.OK) is (spoilt == GOOD)


@fixed
@given(st.integers(0, len(GOOD) - 1), st.text(alphabet=ALPHABET + ".", min_size=1, max_size=5))
def test_adding_or_leaving_out_characters_of_a_good_token_denies(at: int, more: str) -> None:
    assert RIG.reason(GOOD[:at] + more + GOOD[at:]) is not Reason.OK
    assert RIG.reason(GOOD[:at] + GOOD[at + len(more) :]) is not Reason.OK


@pytest.mark.parametrize("good", [GOOD, partner_token()], ids=["RS256", "ES256"])
def test_flipping_any_bit_of_a_signature_denies(good: str) -> None:
    signed, _, text = good.rpartition(".")
    signature = bytearray(base64.urlsafe_b64decode(text + "=="))

    for bit in range(0, len(signature) * 8, 3 if len(signature) > 64 else 1):
        signature[bit // 8] ^= 1 << bit % 8
        assert RIG.reason(f"{signed}.{base64url(bytes(signature))}") is Reason.SIGNATURE_INVALID
        signature[bit // 8] ^= 1 << bit % 8


@fixed
@given(SCOPES, SCOPES, SCOPES, SCOPES)
def test_fewer_scopes_never_allow_more_unless_some_are_unwanted(
    held: frozenset[str], fewer: frozenset[str], all_of: frozenset[str], any_of: frozenset[str]
) -> None:
    policy = Policy("p", scopes=Membership(all_of=all_of, any_of=any_of))

    assert _allows(_identity(held), policy) >= _allows(_identity(held & fewer), policy)


@fixed
@given(SCOPES, SCOPES, SCOPES, SCOPES)
def test_none_of_only_ever_narrows(
    held: frozenset[str], all_of: frozenset[str], any_of: frozenset[str], none_of: frozenset[str]
) -> None:
    plain = Policy("p", scopes=Membership(all_of, any_of))
    narrowed = Policy("p", scopes=Membership(all_of, any_of, none_of))

    assert _allows(_identity(held), plain) >= _allows(_identity(held), narrowed)
    assert not (_allows(_identity(held), narrowed) and held & none_of)


@fixed
@given(
    st.fixed_dictionaries({}, optional={name: st.integers(0, 2000) for name in ("exp", "nbf", "iat", "auth_time")}),
    st.lists(st.integers(-100, 2200), min_size=2, max_size=20),
)
def test_time_is_monotone(times: dict[str, int], moments: list[int]) -> None:
    """An expired token stays expired, a recent token only gets older, and waiting makes a future token valid."""
    identity = _identity_at(tuple(sorted({"exp": 1000, **times}.items())))
    reasons = [_reason_at(identity, moment) for moment in sorted(moments)]
    order = {Reason.TOKEN_NOT_YET_VALID: 0, Reason.OK: 1, Reason.TOKEN_EXPIRED: 2}

    assert [order[reason] for reason in reasons] == sorted(order[reason] for reason in reasons) or (
        Reason.TOKEN_EXPIRED in reasons and identity.expires_at <= max(times.get("nbf", 0), times.get("iat", 0))
    )
    expired = [reason is Reason.TOKEN_EXPIRED for reason in reasons]
    assert expired == sorted(expired)


@cache
def _identity_at(times: tuple[tuple[str, int], ...]) -> Identity:
    claims = access_claims(iat=None, auth_time=None) | dict(times)
    text = sign_raw(COGNITO_KEY, b'{"alg":"RS256","kid":"cognito-1"}', json.dumps(claims).encode())
    identity = RIG.decide(text, now=0).identity
    assert identity is not None
    return identity


def _reason_at(identity: Identity, moment: float) -> Reason:
    try:
        judge(identity, Policy("p"), moment)
    except Denied as denied:
        return denied.reason
    return Reason.OK


@fixed
@given(JSON)
def test_a_forwarded_value_is_always_safe_in_a_header_and_says_the_same(value: Any) -> None:
    forward = read_forward(None)
    try:
        headers = dict(forward.headers({"sub": value}, {"@issuer": "i", "@client": "", "@scopes": ""}))
    except Denied:
        return
    written = headers.get("x-auth-subject", "")
    assert written == written.strip()
    assert all(" " <= character <= "~" for character in written)
    if written:
        assert value == written if isinstance(value, str) else json.loads(written) == value
    else:
        assert value in (None, "")


@fixed
@given(st.binary() | JSON.map(lambda value: json.dumps({"keys": value}).encode("utf-8", "surrogatepass")))
def test_no_document_makes_the_key_reader_raise_anything_of_another_kind(document: bytes) -> None:
    with pytest.raises(keyset.UnusableKeySet):
        keyset.parse(document, ALGORITHMS, distinct_kids=True)


JWK_MEMBERS = ("kty", "kid", "n", "e", "crv", "x", "y", "use", "alg", "key_ops", "d", "k", "x5c", "pub", "priv")
WORDS = st.sampled_from(
    ["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "sig", "RS256", "ES256", "EdDSA", "AQAB", "AA", "AKP", "ML-DSA-44"]
)


@fixed
@given(st.lists(st.dictionaries(st.sampled_from(JWK_MEMBERS), WORDS | JSON), max_size=4))
def test_no_published_keys_make_the_key_reader_raise_anything_of_another_kind(keys: list[dict[str, Any]]) -> None:
    document = json.dumps({"keys": keys}).encode("utf-8", "surrogatepass")
    for distinct in (True, False):
        try:
            kept = keyset.parse(document, ALGORITHMS, distinct_kids=distinct)
        except keyset.UnusableKeySet:
            continue
        # Without distinct kids, equal keys count once.
        assert len(kept.keys) + len(kept.dropped) == len(keys) if distinct else len(kept.keys) <= len(keys)


SECTIONS = ("issuers", "policies", "forward", "revocations_file")
FIELDS = (
    *("profile", "issuer", "audiences", "client_ids", "algorithms", "leeway", "grants", "when", "scopes", "groups"),
    *("claims", "max_age", "optional", "any_of", "all_of", "none_of", "token_use", "issuers", "candidate", "userinfo"),
)
YAML_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["oidc", "any", "1s"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=16,
)


@fixed
@given(st.dictionaries(st.sampled_from(SECTIONS), YAML_VALUES))
def test_no_configuration_makes_the_compiler_raise_anything_but_mistakes(changes: dict[str, Any]) -> None:
    try:
        compile_configuration({**AUTHZ, **changes})
    except ConfigurationError as mistakes:
        found = mistakes.problems
    else:
        return
    assert found
    assert all(mistake.message and mistake.fix.endswith((".", "?")) for mistake in found)


def test_a_header_that_was_read_once_is_read_alike_again() -> None:
    header = GOOD.partition(".")[0]

    assert token.parse_header(header) is token.parse_header(header)
