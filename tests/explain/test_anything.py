"""Whatever is asked about, the steps and the check agree, and nothing but a sentence comes of what cannot be read."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.core.problems import ConfigurationError
from authz.server import wire
from authz.server.conversation import Question
from authz.terminal import Style
from authz.tools.explain.explanation import explain
from authz.tools.explain.explanation_output import data, text
from authz.tools.explain.token_input import read_pasted
from tests.fakes.checks import AUTHZ, COGNITO_KID, NOW, PARTNER_KID, Rig, access_claims
from tests.fakes.keys import PrivateKey, algorithm, ec_key, rsa_key

_RIG = Rig()


def _signed(key: PrivateKey, claims: dict[str, Any], kid: str) -> str:
    """Signed whatever the claims are: PyJWT's own encoder would refuse some."""
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm(key), {"kid": kid})


_CLAIM_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2**40),
    st.floats(0, 2e9),
    st.text(max_size=8),
    st.lists(st.text(max_size=3)),
)
_TOKENS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}", fullmatch=True),
    st.dictionaries(st.sampled_from(sorted(access_claims())), _CLAIM_VALUES, max_size=3).map(
        lambda changes: _signed(rsa_key(0), {**access_claims(), **changes}, COGNITO_KID)
    ),
    st.dictionaries(st.text(max_size=5), _CLAIM_VALUES, max_size=3).map(
        lambda claims: _signed(ec_key(0), claims, PARTNER_KID)
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    policy=st.one_of(
        st.sampled_from([*AUTHZ["policies"], "deny", "public", "authenticated", ""]), st.text(max_size=20)
    ),
    authorization=st.one_of(st.none(), _TOKENS.map(lambda token: f"Bearer {token}"), st.text(max_size=20)),
    path=st.text(max_size=10),
)
def test_any_request_is_explained_as_it_is_decided(policy: str, authorization: str | None, path: str) -> None:
    headers = {} if authorization is None else {"authorization": authorization}

    explanation = explain(_RIG.rules, wire.write_request(Question(policy, "GET", path, headers)), NOW)

    assert data(explanation)["reason"] == explanation.decision.reason.row.label
    assert all(line.isprintable() for line in text(explanation, Style(is_coloured=False)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_explained_as_they_are_decided(message: bytes) -> None:
    assert list(text(explain(_RIG.rules, message, NOW), Style(is_coloured=False)))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text().map(lambda rest: f"curl {rest}"), st.lists(st.sampled_from(
    ["curl", "-H", "'a: b'", "-X", "GET", "https://a/", "-d", "--", "-", "\\\n", "'", '"', "--url=", "-sX", "http://["]
)).map(" ".join)))  # fmt: skip
def test_any_paste_is_read_or_refused_in_words(pasted: str) -> None:
    with suppress(ConfigurationError):
        read_pasted(pasted)
