"""The place of the token: one Authorization header, one scheme, one b64token."""

from __future__ import annotations

import pytest

from authz.core.bearer import MAX_TOKEN_CHARACTERS, find, require_b64token
from authz.core.reasons import Denied, Reason


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_credential_follows_the_scheme_in_any_case(scheme: str) -> None:
    assert find((f"{scheme} a.b.c",)) == "a.b.c"


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        ("Basic dXNlcjpwYXNz",),
        ("DPoP a.b.c",),
        ("BearerToken a.b.c",),
        ("Bearer-x a.b.c",),
        ("Digest username=bearer",),
        ("Digest a=1, bearertoken=2",),
        ("Xbearer a",),
        ("token bearer",),
    ],
)
def test_no_header_or_another_scheme_is_no_credential(values: tuple[str, ...]) -> None:
    assert find(values) is None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (("Bearer a", "Bearer b"), "two Authorization headers"),
        (("Bearer a", "Bearer a"), "two Authorization headers"),
        (("Basic a", "Bearer b"), "two Authorization headers"),
        (("", ""), "two Authorization headers"),
        ((b"Bearer a", "Bearer b"), "two Authorization headers"),
        ((b"Bearer \xff",), "the Authorization header is not UTF-8"),
        (("Bearer",), "not one Bearer credential"),
        (("bearer\ta",), "not one Bearer credential"),
        ((" Bearer a",), "not one Bearer credential"),
        (("\tBEARER a",), "not one Bearer credential"),
        (("Bearer,a",), "not one Bearer credential"),
        (("Bearer=a",), "not one Bearer credential"),
        (('Bearer"a"',), "not one Bearer credential"),
        (("Bearer\u00a0a",), "not one Bearer credential"),
        (("Basic a,Bearer b",), "not one Bearer credential"),
        (("Basic a, bearer b",), "not one Bearer credential"),
        (("Basic a,\t bearer\tb",), "not one Bearer credential"),
        ((",Bearer a",), "not one Bearer credential"),
        (("Basic a,Bearer",), "not one Bearer credential"),
    ],
)
def test_what_could_hide_a_second_credential_is_refused(values: tuple[str | bytes, ...], why: str) -> None:
    with pytest.raises(Denied) as denied:
        find(values)

    assert (denied.value.reason, denied.value.detail) == (Reason.REQUEST_MALFORMED, why)


@pytest.mark.parametrize("credential", ["a", "a.b.c", "A-Z_a~z.0/9+", "abc=", "abc=="])
def test_a_b64token_is_taken_as_it_is(credential: str) -> None:
    assert require_b64token(credential) == credential


@pytest.mark.parametrize(
    "credential",
    [
        *("", " ", "a b", " a", "a ", "a\t", "a\n", "\na", "a\r\n", "a,Bearer b", "a,b", "=", "=a", "a=b", 'a"', "a;b"),
        *("é", "a\x00", "a\u200b", "\uff41", "a%2e"),
    ],
)
def test_what_is_not_one_b64token_is_refused_as_a_malformed_request(credential: str) -> None:
    with pytest.raises(Denied) as denied:
        require_b64token(credential)

    assert denied.value.reason is Reason.REQUEST_MALFORMED
    assert denied.value.detail == "the credential is not one b64token"


def test_the_longest_credential_is_looked_at_and_a_longer_one_is_not() -> None:
    assert require_b64token("a" * MAX_TOKEN_CHARACTERS)
    with pytest.raises(Denied) as denied:
        require_b64token("," * (MAX_TOKEN_CHARACTERS + 1))

    assert denied.value.reason is Reason.TOKEN_MALFORMED
    assert denied.value.detail == "longer than 16384 characters: see `max_token_bytes`"
