"""Claims: how one is named, and which types are taken."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authz.core.claims import MAX_POINTER_DEPTH, MAX_TIME, ClaimName, is_scope, kind_of, require_types
from authz.core.reasons import Denied, Reason

GOOD = {"iss": "i", "exp": 1}

# RFC 6901 section 5, the document and what its pointers find.
RFC_6901: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_a_pointer_finds_what_rfc_6901_says(pointer: str, value: object) -> None:
    assert ClaimName.parse(pointer).find(RFC_6901) == (True, value)


@pytest.mark.parametrize(
    "pointer",
    [
        *("/fo", "/foo/2", "/foo/-1", "/foo/00", "/foo/01", "/foo/+0", "/foo/-", "/foo/0/b", "/foo/1.0", "/foo/ 0"),
        *("/foo/\u0660", "/foo/²", "/foo/100000", "/foo/bar", "/foo/0/0", "/foo/", "/a~01b", "/m~00n"),
    ],
)
def test_a_pointer_to_nothing_finds_nothing(pointer: str) -> None:
    assert ClaimName.parse(pointer).find(RFC_6901) == (False, None)


def test_an_index_is_at_most_five_digits_and_the_last_item_is_within_reach() -> None:
    items = list(range(123_457))

    assert ClaimName.parse("/x/12344").find({"x": items[:12_345]}) == (True, 12_344)
    assert ClaimName.parse("/x/10").find({"x": items}) == (True, 10)
    assert ClaimName.parse("/x/12345").find({"x": items[:12_345]}) == (False, None)
    assert ClaimName.parse("/x/123456").find({"x": items}) == (False, None)


def test_a_name_is_shown_as_it_was_written() -> None:
    assert str(ClaimName.parse("/a~1b")) == "/a~1b"
    assert str(ClaimName.parse("@userinfo/email")) == "@userinfo/email"


def test_a_null_is_found_and_is_not_the_same_as_nothing() -> None:
    assert ClaimName.parse("x").find({"x": None}) == (True, None)
    assert ClaimName.parse("/x/y").find({"x": {"y": None}}) == (True, None)
    assert ClaimName.parse("/x/y").find({"x": None}) == (False, None)
    assert ClaimName.parse("/x/0").find({"x": "text"}) == (False, None)


@pytest.mark.parametrize(
    "name", ["cognito:groups", "oidc.circleci.com/project-id", "a.b", "a/b", "~", "~2", " ", "foo"]
)
def test_a_name_without_a_leading_slash_is_one_top_level_name(name: str) -> None:
    parsed = ClaimName.parse(name)

    assert (parsed.text, parsed.tokens) == (name, (name,))
    assert parsed.find({name: 1, "a": {"b": 2}}) == (True, 1)
    assert parsed.find({"a": {"b": 2}}) == (False, None)


def test_a_pointer_keeps_its_text_and_resolves_its_escapes_in_the_right_order() -> None:
    assert ClaimName.parse("/kubernetes.io/name~1space/~01") == ClaimName(
        "/kubernetes.io/name~1space/~01", ("kubernetes.io", "name/space", "~1")
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a claim name is empty"),
        ("/a~", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
        ("/a~2b", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
        ("/~~01", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
        ("/~~10", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
        ("/~~0", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
        ("/a" * (MAX_POINTER_DEPTH + 1), "the JSON Pointer is deeper than 8 levels"),
    ],
)
def test_what_is_no_claim_name_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        ClaimName.parse(text)


def test_a_pointer_as_deep_as_the_bound_is_taken() -> None:
    assert len(ClaimName.parse("/a" * MAX_POINTER_DEPTH).tokens) == MAX_POINTER_DEPTH


def _refusal(claims: dict[str, Any]) -> str:
    with pytest.raises(Denied) as denied:
        require_types(claims)
    assert denied.value.reason is Reason.TOKEN_MALFORMED
    return denied.value.detail


@pytest.mark.parametrize("name", ["iss", "exp"])
def test_a_claim_without_which_nothing_can_be_judged_must_be_there(name: str) -> None:
    assert _refusal({claim: value for claim, value in GOOD.items() if claim != name}) == f"the claim {name} is missing"


@pytest.mark.parametrize("name", ["iss", "sub", "jti"])
def test_a_claim_that_is_read_as_text_must_be_text(name: str) -> None:
    for text in ("", "x", "é", "\x00"):
        require_types({**GOOD, name: text})
    for value in (None, 1, 1.5, True, False, [], ["x"], {}, {"x": "y"}):
        assert _refusal({**GOOD, name: value}) == f"the claim {name} has a wrong type or value: {kind_of(value)}"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_claim_that_is_read_as_a_time_must_be_a_number_within_the_years_that_exist(name: str) -> None:
    for time in (0, -0.0, 1, 1.5, 1_800_000_000, 1e9, MAX_TIME):
        require_types({**GOOD, name: time})
    bad: list[Any] = [-1, -0.5, MAX_TIME + 1, MAX_TIME + 0.5, 1e300, 10**31, True, False, None, "1", "", [1], [], {}]
    for value in bad:
        assert _refusal({**GOOD, name: value}) == f"the claim {name} has a wrong type or value: {kind_of(value)}"


def test_the_last_time_is_the_last_second_of_the_year_9999() -> None:
    assert MAX_TIME == 253_402_300_799


def test_an_audience_is_text_or_a_list_of_texts() -> None:
    for audience in ("", "a", [], ["a"], ["a", "a", "b"]):
        require_types({**GOOD, "aud": audience})
    for value in (None, 1, True, {}, {"a": 1}, [1], ["a", 1], [["a"]], ["a", None]):
        assert _refusal({**GOOD, "aud": value}) == f"the claim aud has a wrong type or value: {kind_of(value)}"


def test_a_claim_that_nobody_reads_may_be_anything() -> None:
    require_types({**GOOD, "token_use": ["access"], "cognito:groups": "admin", "x": None, "azp": 1})


@pytest.mark.parametrize(
    "text", ["a", "orders/read", "!", "#$%&'()*+,-./:;<=>?@[]^_`{|}~", "aws.cognito.signin.user.admin"]
)
def test_a_scope_token_has_the_characters_of_rfc_6749(text: str) -> None:
    assert is_scope(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\t", "a\n", "\u00a0", "a\u00a0b", '"', "\\", "é", "\x7f", "\x00"])
def test_what_has_another_character_is_no_scope_token(text: str) -> None:
    assert not is_scope(text)
