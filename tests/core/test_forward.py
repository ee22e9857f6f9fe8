"""The verified values that the upstream receives, and their encoding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authz.core.claims import ClaimName
from authz.core.forward import DEFAULT, FAILURE_MODE_HEADER, MAX_HEADERS, MAX_VALUE_CHARACTERS, Forward, read_forward
from authz.core.mapping_reader import MappingReader
from authz.core.problems import Problem
from authz.core.reasons import Denied, Reason

OWN = {"@issuer": "cognito", "@client": "c", "@scopes": "a b"}


def _read(fields: Any) -> tuple[Forward, list[Problem]]:
    found: list[Problem] = []
    return read_forward(MappingReader(fields, ("forward",), found)), found


def _written(source: str, claims: dict[str, Any]) -> str | None:
    forward, found = _read({"x-tried": source})
    assert not found
    return dict(forward.headers(claims, OWN)).get("x-tried")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("text", "text"),
        ("with blanks  inside", "with blanks  inside"),
        ("!", "!"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        (["a", "b c"], '["a","b c"]'),
        (["a,b"], '["a,b"]'),
        ({"b": 1, "a": None}, '{"b":1,"a":null}'),
        (["é\n\u2028"], '["\\u00e9\\n\\u2028"]'),
        ("", None),
        (None, None),
    ],
)
def test_text_is_written_as_it_is_and_any_other_claim_as_compact_json_in_ascii(
    value: object, written: str | None
) -> None:
    assert _written("x", {"x": value}) == written
    assert _written("/x", {"x": value}) == written
    if written and not isinstance(value, str):
        assert json.loads(written) == value


def test_an_absent_claim_writes_nothing() -> None:
    assert _written("x", {}) is None
    assert _written("/x/y", {"x": "y"}) is None


def test_our_own_values_are_not_claims_of_the_same_name() -> None:
    assert _written("@issuer", {"@issuer": "forged"}) == "cognito"
    assert _written("@scopes", {"scope": "forged"}) == "a b"
    assert _written("@client", {}) == "c"


@pytest.mark.parametrize("bad", [*map(chr, range(0x20)), "\x7f", "\x80", "\u00a0", "é", "\u2028", "\ud800", "😀"])
@pytest.mark.parametrize("place", ["{}a", "a{}", "a{}a", "{}"])
def test_a_value_that_is_not_safe_in_a_header_is_refused_and_not_mended(bad: str, place: str) -> None:
    with pytest.raises(Denied) as denied:
        _written("x", {"x": place.format(bad)})

    assert denied.value.reason is Reason.TOKEN_MALFORMED
    assert denied.value.detail == "the value for x-tried is not safe in a header"


@pytest.mark.parametrize("value", [" a", "a ", " "])
def test_a_value_that_begins_or_ends_with_a_blank_is_refused_for_a_server_would_trim_it(value: str) -> None:
    with pytest.raises(Denied):
        _written("x", {"x": value})


def test_the_longest_value_is_forwarded_and_a_longer_one_refused() -> None:
    assert _written("x", {"x": "a" * MAX_VALUE_CHARACTERS}) == "a" * MAX_VALUE_CHARACTERS
    for value in ("a" * (MAX_VALUE_CHARACTERS + 1), "a" * 100_000, ["a" * MAX_VALUE_CHARACTERS]):
        with pytest.raises(Denied):
            _written("x", {"x": value})


def test_without_a_forward_mapping_the_default_one_is_used() -> None:
    forward = read_forward(None)

    assert dict(forward.headers({"sub": "s"}, OWN)) == {
        "x-auth-subject": "s",
        "x-auth-issuer": "cognito",
        "x-auth-client": "c",
        "x-auth-scopes": "a b",
    }
    assert set(DEFAULT) < set(forward.guarded)


def test_every_spelling_of_a_forwarded_header_is_guarded_and_envoys_own_word_too() -> None:
    forward, _found = _read({"x-auth_sub": "sub"})

    assert forward.guarded == tuple(
        sorted(["x-auth-sub", "x_auth-sub", "x-auth_sub", "x_auth_sub", FAILURE_MODE_HEADER])
    )


def test_with_many_hyphens_the_name_and_the_one_with_underscores_alone_are_guarded() -> None:
    four, _found = _read({"a-b-c-d-e": "sub"})
    five, _found = _read({"a-b-c-d-e-f": "sub"})

    assert len(four.guarded) == 2**4 + 1
    assert set(five.guarded) == {"a-b-c-d-e-f", "a_b_c_d_e_f", FAILURE_MODE_HEADER}


def test_a_forward_mapping_that_is_empty_forwards_nothing_and_still_guards_envoys_word() -> None:
    forward, found = _read({})

    assert (forward.sources, forward.guarded, found) == ((), (FAILURE_MODE_HEADER,), [])


@pytest.mark.parametrize("name", ["x", "0", "x-auth-subject", "x_sub", "a" * 64, "x-envo"])
def test_a_lower_case_name_of_ones_own_can_be_forwarded(name: str) -> None:
    forward, found = _read({name: "sub"})

    assert found == []
    assert forward.sources == ((name, ClaimName.parse("sub")),)


@pytest.mark.parametrize(
    "name",
    [
        *("", "X-Auth", ":path", "-x", "_x", "x auth", "x\n", "x:", "é", "a" * 65, "x-envoy-peer", "x-envoy-"),
        *("authorization", "cookie", "host", "connection", "content-length", "content-type", "expect", "keep-alive"),
        *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "x-forwarded-for", "x-request-id"),
        *("x-forwarded-proto", FAILURE_MODE_HEADER),
    ],
)
def test_a_name_that_means_something_else_cannot_be_forwarded(name: str) -> None:
    _forward, found = _read({name: "sub"})

    assert found == [
        Problem(
            ("forward", name),
            f"{name!r:.60} cannot be a forwarded header",
            "Use another lower-case name, such as `x-auth-subject`.",
            on_key=True,
        )
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("@group", "'@group' is not known"),
        ("@", "'@' is not known"),
        ("/a~", "in a JSON Pointer, write `~` as `~0`, and `/` inside a name as `~1` (RFC 6901)"),
    ],
)
def test_a_source_that_is_no_value_is_a_mistake_with_its_cure(source: str, problem: str) -> None:
    _forward, found = _read({"x-a": source})

    fix = "Write a claim, a JSON Pointer, `@userinfo/NAME`, or one of @issuer, @scopes, @client."
    assert found == [Problem(("forward", "x-a"), problem, fix)]


@pytest.mark.parametrize("source", [None, "", 1, ["sub"]])
def test_a_source_that_is_no_text_is_one_mistake(source: object) -> None:
    _forward, found = _read({"x-a": source})

    assert [mistake.path for mistake in found] == [("forward", "x-a")]
    assert found[0].message.startswith("a string is needed, not ")


def test_as_many_headers_as_the_bound_can_be_forwarded_and_no_more() -> None:
    names = [f"x-{number}" for number in range(MAX_HEADERS + 1)]

    assert _read(dict.fromkeys(names[1:], "sub"))[1] == []
    assert _read(dict.fromkeys(names, "sub"))[1] == [Problem(("forward",), "more than 32 headers", "Forward fewer.")]
