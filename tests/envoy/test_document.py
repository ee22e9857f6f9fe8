"""Reading YAML: values as Envoy's reader resolves them, each with its place, and ConfigurationError for the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.core.problems import ConfigurationError
from authz.envoy.document import FILE_BOUNDS, MAX_BYTES, Bounds, read, read_all


def _value(text: str) -> Any:
    return read(f"a: {text}", "f").data["a"]


def _refusal(text: str, bounds: Bounds = FILE_BOUNDS) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(text, "f", bounds)
    return str(refused.value)


def _answer(text: str, bounds: Bounds) -> str:
    try:
        return repr(read(text, "f", bounds).data)
    except ConfigurationError as refused:
        return str(refused)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("On", True),
        ("Y", True),
        ("TRUE", True),
        ("no", False),
        ("OFF", False),
        ("False", False),
        ("tRue", "tRue"),
        ("oN", "oN"),
        ('"yes"', "yes"),
        ("'true'", "true"),
        ("|-\n  true", "true"),
        (">-\n  12", "12"),
    ],
)
def test_plain_words_are_booleans_and_quoted_ones_are_text(text: str, expected: object) -> None:
    assert _value(text) == expected
    assert type(_value(text)) is type(expected)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_has_five_spellings(text: str) -> None:
    assert _value(text) is None


@pytest.mark.parametrize("text", ["nULL", '"~"', '""', "''", "none", "!!str ~", "! ~"])
def test_other_spellings_of_nothing_are_text(text: str) -> None:
    assert isinstance(_value(text), str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("12", 12),
        ("+5", 5),
        ("-3", -3),
        ("010", 8),
        ("-010", -8),
        ("00", 0),
        ("0x1F", 31),
        ("5000000000", 5_000_000_000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("09", "09"),
        ("010.5", "010.5"),
        ("0o17", "0o17"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"),
        (".inf", ".inf"),
        (".NaN", ".NaN"),
        ("١٢", "١٢"),  # Arabic digits
        ('"12"', "12"),
        ("1" * 65, "1" * 65),
    ],
)
def test_numbers_are_decimal_octal_or_hexadecimal_and_the_rest_is_text(text: str, expected: object) -> None:
    assert _value(text) == expected
    assert type(_value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("! 12", "12"),
        ("! true", "true"),
        ("&x ! true", "true"),
        ("! &x true", "true"),
        ("!!str 12", 12),
        ('!!str "true"', True),
        ("!!bool 'yes'", True),
        ("&x !foo true", True),
        ('!!null "x"', "x"),
        ("!!timestamp 2001-01-01", "2001-01-01"),
        ("!!python/object/apply:os.system [x]", ["x"]),
    ],
)
def test_a_lone_exclamation_mark_makes_text_and_no_other_tag_makes_anything(text: str, expected: object) -> None:
    assert _value(text) == expected


def test_a_field_with_an_ignored_key_is_a_place_for_anchors_and_nothing_else() -> None:
    document = read("!ignore templates:\n- &a { x: 1 }\nb: *a\nc: { !ignore d: 1, e: 2 }\n", "f")

    assert document.data == {"b": {"x": 1}, "c": {"e": 2}}


def test_an_alias_is_the_value_it_names_and_stands_where_the_value_stands() -> None:
    document = read("a: &x\n  b: 1\nc: *x\n", "f")

    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert str(document.locate(("c", "b"))) == "f:2:6"
    assert str(document.locate(("c",), on_key=True)) == "f:3:1"


def test_every_value_and_every_key_has_its_place() -> None:
    document = read("a:\n  - b: 1\n    cé: [x, {d: 2}]\n", "f.yaml")

    assert str(document.locate(())) == "f.yaml:1:1"
    assert str(document.locate(("a", 0, "b"))) == "f.yaml:2:8"
    assert str(document.locate(("a", 0, "b"), on_key=True)) == "f.yaml:2:5"
    assert str(document.locate(("a", 0, "cé", 1, "d"))) == "f.yaml:3:17"
    assert str(document.locate(("a", 0))) == "f.yaml:2:5"


def test_what_is_missing_is_placed_at_the_nearest_mapping_around_it() -> None:
    document = read("a:\n  b: 1\n", "f")

    assert str(document.locate(("a", "x", "y"), on_key=True)) == "f:2:3"


def test_json_is_read_with_places_too() -> None:
    document = read('{"a": {"b": [true, null, "yes", 1.5]}}', "f")

    assert document.data == {"a": {"b": [True, None, "yes", 1.5]}}
    assert str(document.locate(("a", "b", 2))) == "f:1:26"


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert read("\ufeff! a: ! 12\n", "f").data == {"a": "12"}


def test_an_end_marker_and_blank_documents_count_for_nothing() -> None:
    assert read("---\n# license\n---\na: 1\n...\n---\n", "f").data == {"a": 1}


def test_windows_line_ends_move_no_place() -> None:
    assert str(read("a: 1\r\nb: ! 2\r\n", "f").locate(("b",))) == "f:2:4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f:1:1: the file is empty. Name the Envoy YAML."),
        ("# only a comment\n", "f:1:1: the file is empty. Name the Envoy YAML."),
        ("---\n---\n", "f:1:1: the file is empty. Name the Envoy YAML."),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: duplicate key 'a', first 2 lines above. Keep one of them."),
        ('a: {b: 1, "b": 2}', "f:1:11: duplicate key 'b', first in the same line. Keep one of them."),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", "f:3:3: Envoy does not merge keys (`<<`). Write the fields out."),
        ("? [a]\n: 1\n", "f:1:3: a key is a list or a mapping. Write a plain key."),
        ("a: 1\n---\nb: 2\n", "f:3:1: a second document begins here. Keep one. Envoy reads only the first."),
        ("a: *x", "f:1:4: not YAML: found undefined alias. Fix the YAML syntax."),
        ("a: &x [*x]", "f:1:4: a value contains itself, through an alias. Write the value out."),
        ("a: &x {b: [1, *x]}", "f:1:4: a value contains itself, through an alias. Write the value out."),
        ("a:\n\t- b", "f:2:1: not YAML: this is a tab. Indent with spaces. YAML does not allow tabs."),
        ("é:\n  b: 1\n  \tc: 2", "f:3:3: not YAML: this is a tab. Indent with spaces. YAML does not allow tabs."),
        ("a: @\tb", "f:1:4: not YAML: found character that cannot start any token. Fix the YAML syntax."),
        ("a: [1, 2", "f:2:1: not YAML: did not find expected ',' or ']'. Fix the YAML syntax."),
        ("%YAML 9.9\n---\na", "f:1:1: not YAML: found incompatible YAML document. Fix the YAML syntax."),
        ("a: \x00", "f:1:1: not YAML text. Name a text file in YAML or JSON."),
        ("a: \ud800", "f:1:1: not YAML text. Name a text file in YAML or JSON."),
        (bytes(range(256)).decode("latin-1"), "f:1:1: not YAML text. Name a text file in YAML or JSON."),
        ("a" * (MAX_BYTES + 1), f"f:1:1: larger than {MAX_BYTES} bytes. Name the Envoy YAML."),
    ],
    ids=range(20),
)
def test_what_cannot_be_read_is_one_sentence_with_a_place_and_a_fix(text: str, expected: str) -> None:
    assert _refusal(text) == expected


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_hundred_thousand_levels_are_refused_and_crash_nothing(opening: str) -> None:
    assert "nest" in _refusal(opening * 100_000)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_nesting_past_the_bound_is_refused_where_it_is_passed(opening: str, closing: str) -> None:
    def nested(levels: int) -> str:
        return f"{opening * levels}{closing * levels}"

    assert read(nested(20), "f", Bounds(values=100, levels=20)).data
    assert _refusal(nested(21), Bounds(values=100, levels=19)).endswith(
        "nested deeper than 19 levels. Use fewer levels."
    )
    assert "nested deeper than 200 levels" in _refusal(nested(202))


def test_levels_through_aliases_count_like_written_ones() -> None:
    lines = ["a0: &a0 [x]", *(f"a{number}: &a{number} [*a{number - 1}]" for number in range(1, 8))]

    assert read("\n".join(lines[:5]), "f", Bounds(values=100, levels=6)).data["a4"] == [[[[["x"]]]]]
    assert "nested deeper than 6 levels" in _refusal("\n".join(lines), Bounds(values=100, levels=6))


def test_aliases_that_multiply_are_stopped_at_the_bound() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    assert FILE_BOUNDS.values < 9**9

    assert "more than 2000000 values, after aliases are expanded. Use fewer aliases." in _refusal("\n".join(lines))


def test_a_value_may_be_repeated_beside_itself() -> None:
    assert read("[&a [1], *a, {b: *a}]", "f").data == [[1], [1], {"b": [1]}]


@given(st.text(alphabet=st.sampled_from(" \n-:?[]{},'\"|>#~1ab"), min_size=1, max_size=40))
def test_no_text_without_aliases_has_more_values_than_characters_and_one(text: str) -> None:
    """So an inline policy with this bound refuses nothing that somebody wrote out."""
    assert _answer(text, Bounds(values=len(text) + 1, levels=FILE_BOUNDS.levels)) == _answer(text, FILE_BOUNDS)


def test_every_document_of_a_stream_is_read_with_its_own_places() -> None:
    first, second = read_all("a: 1\n---\n# nothing\n---\nb:\n  c: 2\n", "f")

    assert (first.data, second.data) == ({"a": 1}, {"b": {"c": 2}})
    assert str(second.locate(("b", "c"))) == "f:6:6"


@given(st.text(alphabet=st.sampled_from(" \n\t-:?[]{}&*!|>'\"%@`#,.~0x1ayes<\ud800\x00é\ufeff"), max_size=60))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    try:
        location = read(text, "f").locate(())
    except ConfigurationError as refused:
        (problem,) = refused.problems
        assert problem.location is not None
        location = problem.location

    assert location.line >= 1
