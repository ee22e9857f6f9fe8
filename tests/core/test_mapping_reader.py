"""One mapping of the configuration, read field by field: everything wrong is reported, nothing stops the reading."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from authz.core.mapping_reader import MAX_UNKNOWN_FIELDS, MappingReader, describe, listed, parse_seconds
from authz.core.problems import Problem


def _section(value: object) -> tuple[MappingReader, list[Problem]]:
    found: list[Problem] = []
    return MappingReader(value, ("top",), found), found


def _said(found: list[Problem]) -> list[tuple[Any, ...]]:
    return [(mistake.path, mistake.message, mistake.fix) for mistake in found]


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, "nothing"),
        ([], "an empty list"),
        (["a"], "a list"),
        ("text", "'text'"),
        (5, "5"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_what_is_no_mapping_is_reported_and_read_as_an_empty_one(value: object, described: str) -> None:
    section, found = _section(value)

    assert section.names == ()
    assert section.text("a", "stand-in") == "stand-in"
    section.finish()
    assert found == [Problem(("top",), f"a mapping is needed here, not {described}", "Write `name: value` lines.")]


def test_what_is_there_is_named_and_what_was_asked_for_is_found() -> None:
    section, _found = _section({"b": 1, "a": None})

    assert section.names == ("b", "a")
    assert ("a" in section, "c" in section) == (True, False)
    assert (section.raw("b"), section.raw("a"), section.raw("c")) == (1, None, None)


def test_a_mistake_stands_below_its_mapping() -> None:
    section, found = _section({"a": {"b": 1}})

    section.section("a").wrong(("b", 0), "bad", "Mend it.", on_key=True)

    assert found == [Problem(("top", "a", "b", 0), "bad", "Mend it.", on_key=True)]


@pytest.mark.parametrize("value", [None, "", 1, True, ["a"], {"a": "b"}])
def test_a_field_of_text_takes_text_that_is_not_empty(value: object) -> None:
    section, found = _section({"a": value, "good": "x"})

    assert section.text("good") == "x"
    assert section.text("absent") == ""
    assert section.text("absent", "else") == "else"
    assert found == []
    assert section.text("a", "else") == "else"
    assert _said(found) == [
        (("top", "a"), f"a string is needed, not {describe(value)}", 'Write `a: "..."`.'),
    ]


@pytest.mark.parametrize("value", [None, 0, 1, "true", "yes", [], {}])
def test_a_flag_is_true_or_false_and_false_where_it_is_missing_or_wrong(value: object) -> None:
    section, found = _section({"a": value, "on": True, "off": False})

    assert (section.flag("on"), section.flag("off"), section.flag("absent")) == (True, False, False)
    assert found == []
    assert section.flag("a") is False
    assert _said(found) == [(("top", "a"), f"true or false is needed, not {describe(value)}", "Write `a: true`.")]


def test_one_of_a_few_words_is_taken_and_the_nearest_is_offered_for_another() -> None:
    section, found = _section({"good": "red", "near": "grean", "far": "x", "number": 1, "nothing": None})
    words = ("red", "green")

    assert section.one_of("good", words, "red") == "red"
    assert section.one_of("absent", words, "green") == "green"
    assert found == []
    assert [section.one_of(name, words, "red") for name in ("near", "far", "number", "nothing")] == ["red"] * 4
    assert _said(found) == [
        (("top", "near"), "'grean' is not one of red, green", "Did you mean `green`?"),
        (("top", "far"), "'x' is not one of red, green", "Known: red, green."),
        (("top", "number"), "1 is not one of red, green", "Known: red, green."),
        (("top", "nothing"), "nothing is not one of red, green", "Known: red, green."),
    ]


def test_texts_are_one_or_several_and_none_of_them_empty() -> None:
    section, found = _section(
        {"one": "a", "more": ["a", "b", "a"], "bad": ["a", "", 1, None], "empty": [], "null": None}
    )

    assert section.texts("one") == {"a"}
    assert section.texts("more") == {"a", "b"}
    assert section.texts("absent") == frozenset()
    assert found == []
    assert section.texts("bad") == {"a"}
    assert section.texts("empty") == frozenset()
    assert section.texts("null") == frozenset()
    quotes = 'Put quotes around it: `"..."`.'
    assert _said(found) == [
        (("top", "bad"), "strings are needed, not ''", quotes),
        (("top", "bad"), "strings are needed, not 1", quotes),
        (("top", "bad"), "strings are needed, not nothing", quotes),
        (("top", "empty"), "the list is empty", "Name at least one value, or leave the field out."),
        (("top", "null"), "strings are needed, not nothing", quotes),
    ]


def test_a_duration_is_taken_within_its_bounds_and_its_default_where_it_is_missing_or_wrong() -> None:
    section, found = _section({"low": "1s", "high": 60, "under": "0.9s", "over": "61s", "bad": "soon", "true": True})

    assert section.seconds("low", 5, 1, 60) == 1
    assert section.seconds("high", 5, 1, 60) == 60
    assert section.seconds("absent", 5, 1, 60) == 5
    assert found == []
    assert [section.seconds(name, 5, 1, 60) for name in ("under", "over", "bad", "true")] == [5] * 4
    assert _said(found) == [
        (("top", name), f"a duration from 1s to 60s is needed, not {shown}", f"For example, write `{name}: 30s`.")
        for name, shown in [("under", "'0.9s'"), ("over", "'61s'"), ("bad", "'soon'"), ("true", "true")]
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("15min", "15m"), ("15 Minutes", "15m"), ("15M", "15m"), ("10 s", "10s"), ("900sec", "900s")),
        *(("1.5 hrs", "1.5h"), ("1000 msecs", "1000ms"), ("1day", "1d")),
    ],
)
def test_a_duration_that_is_spelt_out_is_told_how_it_is_written_here(written: str, meant: str) -> None:
    section, found = _section({"a": written})

    assert section.seconds("a", 5, 1, 86_400) == 5
    assert [mistake.fix for mistake in found] == [f"Did you mean `{meant}`?"]


@pytest.mark.parametrize("written", ["2days", "1ms", "15 mince", "min", "1h30min", "\u0661min", "15 \u017f", 0])
def test_what_would_be_out_of_bounds_or_is_no_duration_in_words_either_gets_an_example(written: object) -> None:
    section, found = _section({"a": written})

    section.seconds("a", 5, 1, 86_400)

    assert [mistake.fix for mistake in found] == ["For example, write `a: 30s`."]


def test_bounds_of_a_day_and_more_are_shown_in_days() -> None:
    section, found = _section({"a": 0})

    section.seconds("a", 1, 86_399, 86_400)
    section.seconds("a", 1, 0.5, 7 * 86_400)

    assert found[0].message == "a duration from 86399s to 1d is needed, not 0"
    assert found[1].message == "a duration from 0.5s to 7d is needed, not 0"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("1s", 1), ("10s", 10), ("1.5m", 90), ("2h", 7200), ("24h", 86_400), ("7d", 604_800), ("0s", 0)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("number", [0, 5, 1.5, -3, 10**15, -(10.0**15)])
def test_a_number_is_a_duration_in_seconds(number: float) -> None:
    assert parse_seconds(number) == number


@pytest.mark.parametrize(
    "value",
    [
        *("", "s", "10", "10 s", " 10s", "10s ", "-1s", "+1s", "1e3s", "1.s", ".5s", "10S", "10sec", "1h30m", "10s\n"),
        *("\u0661s", True, False, None, [], {}, math.nan, math.inf, -math.inf, 10**16, -(10**16), 10**400),
    ],
)
def test_anything_else_is_no_duration(value: object) -> None:
    assert parse_seconds(value) is None


def test_the_mappings_of_a_mapping_come_with_their_names_and_a_name_of_a_wrong_shape_is_reported() -> None:
    section, found = _section({"all": {"good": {"x": 1}, "BAD": {}, "flat": 5}})

    named = list(section.named("all", str.islower, "lower case"))

    assert [(name, each.path, each.names) for name, each in named] == [
        ("good", ("top", "all", "good"), ("x",)),
        ("BAD", ("top", "all", "BAD"), ()),
        ("flat", ("top", "all", "flat"), ()),
    ]
    assert found == [
        Problem(("top", "all", "BAD"), "'BAD' cannot be a name here", "Names are lower case.", on_key=True),
        Problem(("top", "all", "flat"), "a mapping is needed here, not 5", "Write `name: value` lines."),
    ]


def test_the_mappings_of_a_list_come_with_their_places() -> None:
    section, found = _section({"list": [{"a": 1}, 5], "empty": [], "flat": "x"})

    assert [each.path for each in section.each("list")] == [("top", "list", 0), ("top", "list", 1)]
    assert list(section.each("absent")) == []
    assert [mistake.path for mistake in found] == [("top", "list", 1)]
    assert list(section.each("empty")) == []
    assert list(section.each("flat")) == []
    assert _said(found[1:]) == [
        (("top", "empty"), "a list is needed, not an empty list", "Write one `- ` line per entry."),
        (("top", "flat"), "a list is needed, not 'x'", "Write one `- ` line per entry."),
    ]


def test_a_field_that_nobody_read_is_unknown_and_the_nearest_known_one_is_offered() -> None:
    section, found = _section({"issuer": "x", "scpoes": 1, "zzz": 2})
    section.text("issuer")
    assert "scopes" not in section
    section.raw("realm")

    section.finish(also=("groups",))

    assert found == [
        Problem(("top", "scpoes"), "unknown field 'scpoes'", "Did you mean `scopes`?", on_key=True),
        Problem(("top", "zzz"), "unknown field 'zzz'", "Known: groups, issuer, realm, scopes.", on_key=True),
    ]


def test_of_many_unknown_fields_the_first_are_named_and_the_others_counted() -> None:
    """Each proposal compares the word with all known ones: a mapping of nonsense would take long to refuse."""
    section, found = _section({f"x{number}": 1 for number in range(MAX_UNKNOWN_FIELDS + 3)})

    section.finish()

    assert [problem.message for problem in found[:-1]] == [f"unknown field 'x{n}'" for n in range(MAX_UNKNOWN_FIELDS)]
    assert found[-1] == Problem(("top", "x20"), "more unknown fields from here on: 3", "Remove them.", on_key=True)


def test_as_many_unknown_fields_as_are_named_are_followed_by_no_count() -> None:
    section, found = _section({f"x{number}": 1 for number in range(MAX_UNKNOWN_FIELDS)})

    section.finish()

    assert found[-1].message == "unknown field 'x19'"


@pytest.mark.parametrize(
    "ask",
    [
        lambda section: section.raw("known"),
        lambda section: section.text("known"),
        lambda section: section.texts("known"),
        lambda section: section.flag("known"),
        lambda section: section.one_of("known", ("a", "b"), "a"),
        lambda section: section.seconds("known", 1, 0, 2),
        lambda section: section.whole_number("known", 1, 0, 2),
        lambda section: list(section.each("known")),
        lambda section: "known" in section,
    ],
    ids=["raw", "text", "texts", "flag", "one_of", "seconds", "whole_number", "each", "in"],
)
def test_a_missing_field_that_was_asked_for_is_offered_beside_an_unknown_one(
    ask: Callable[[MappingReader], object],
) -> None:
    section, found = _section({"other": 1})
    ask(section)

    section.finish()

    assert "known" in found[-1].fix


def test_a_whole_number_is_taken_within_its_bounds_and_its_default_if_it_is_missing_or_wrong() -> None:
    section, found = _section({"low": 1, "high": 60, "under": 0, "over": 61, "text": "5", "part": 1.5, "true": True})

    assert [section.whole_number(name, 5, 1, 60) for name in ("low", "high", "absent")] == [1, 60, 5]
    assert found == []
    wrong = {"under": "0", "over": "61", "text": "'5'", "part": "1.5", "true": "true"}
    assert [section.whole_number(name, 5, 1, 60) for name in wrong] == [5] * 5
    assert _said(found) == [
        (("top", name), f"a whole number from 1 to 60 is needed, not {shown}", f"For example, write `{name}: 5`.")
        for name, shown in wrong.items()
    ]


def test_a_field_that_was_only_looked_for_is_still_unknown() -> None:
    section, found = _section({"a": 1})
    assert "a" in section

    section.finish()

    assert [mistake.message for mistake in found] == ["unknown field 'a'"]


def test_a_wrong_value_is_shown_shortened() -> None:
    assert describe("x" * 1000) == "'" + "x" * 59
    assert describe({"a": 1}) == "a mapping"
    section, found = _section({"k" * 1000: 1})
    section.finish()
    assert found[0].message == f"unknown field '{'k' * 59}"


def test_words_are_listed_with_commas() -> None:
    assert listed(("a", "b")) == "a, b"
