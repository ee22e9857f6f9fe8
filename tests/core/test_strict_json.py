"""JSON without surprises: what the standard library tolerates and RFC 7515, 7519 and 8259 do not."""

from __future__ import annotations

import json

import pytest

from authz.core.strict_json import MAX_NAME_KEPT_CHARACTERS, MAX_NESTING, MAX_NUMBER_CHARACTERS, NotStrictJson, loads


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[1,-0,2.5,1e3,-1E-3,true,false,null,"x"]}',
        ' \t\r\n{"a" : 1}\n',
        '"\\u0061\\ud83d\\ude00\\u0000\\/\\b"',
        '"é😀\x7f"',
        "0",
        '{"a":1,"A":2,"\u0430":3}',
        '"' + "[{" * 100 + '"',
        '["\\\\","\\"[[["]',
    ],
)
def test_what_is_strict_json_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":1,"a":1}', "a duplicate member"),
        (b'{"a":1,"\\u0061":2}', "a duplicate member"),
        (b'[{"b":{"a":1,"a":2}}]', "a duplicate member"),
        (b"NaN", "NaN or Infinity"),
        (b"[-Infinity]", "NaN or Infinity"),
        (b'{"exp":Infinity}', "NaN or Infinity"),
        (b"1e400", "a number too large"),
        (b"[-1.5e309]", "a number too large"),
        (b'"\\ud800"', "a lone surrogate"),
        (b'{"\\udfff":1}', "a lone surrogate"),
        (b'[["\\ude00\\ud83d"]]', "a lone surrogate"),
        (b"\xff", "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\xc0\xaf"', "not UTF-8"),
        (b'"\xf4\x90\x80\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{}x", "not JSON"),
        (b"{}\x00", "not JSON"),
        (b"[1,]", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b"[01]", "not JSON"),
        (b"+1", "not JSON"),
        (b".5", "not JSON"),
        (b"5.", "not JSON"),
        (b"1_000", "not JSON"),
        (b"0x10", "not JSON"),
        ("[\u0661]".encode(), "not JSON"),
        (b'"a\nb"', "not JSON"),
        (b'"a\x00b"', "not JSON"),
        (b'"\\x41"', "not JSON"),
        (b"[1 /* one */]", "not JSON"),
        (b'"open', "not JSON"),
        (b"\x0c{}", "not JSON"),
        ("{}\u00a0".encode(), "not JSON"),
    ],
)
def test_what_is_not_strict_json_is_refused_for_its_reason(text: bytes, why: str) -> None:
    with pytest.raises(NotStrictJson) as refused:
        loads(text)

    assert str(refused.value) == why


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings_than_utf_8_are_refused(encoding: str) -> None:
    with pytest.raises(NotStrictJson):
        loads('{"iss":"https://idp.example.com"}'.encode(encoding))


@pytest.mark.parametrize(("opening", "closing"), ["[]", ('{"a":', "}"), ('[{"a":', "}]")])
def test_nesting_is_read_up_to_the_bound_and_refused_above_it(opening: str, closing: str) -> None:
    levels = opening.count("[") + opening.count("{")
    fits = MAX_NESTING // levels

    assert loads((opening * fits + "0" + closing * fits).encode()) is not None
    with pytest.raises(NotStrictJson, match="nested too deeply"):
        loads((opening * (fits + 1) + "0" + closing * (fits + 1)).encode())


@pytest.mark.parametrize("levels", [1_000, 20_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_any_depth_of_nesting_is_refused_before_anything_recurses(levels: int, opening: str) -> None:
    with pytest.raises(NotStrictJson, match="nested too deeply"):
        loads((opening * levels).encode(), 10**6)


def test_many_brackets_side_by_side_or_inside_strings_are_not_nesting() -> None:
    assert loads(b"[" + b",".join([b"[{}]"] * 1000) + b"]", 10**6) == [[{}]] * 1000
    assert loads(b'[["' + b"[" * 1000 + b'"]]', 10**6) == [["[" * 1000]]
    assert loads(b'[["\\"' + b"[{" * 1000 + b'\\\\"]]', 10**6) == [['"' + "[{" * 1000 + "\\"]]


def test_as_many_levels_as_the_bound_are_read_beside_others() -> None:
    deepest = b"[" * (MAX_NESTING - 1) + b"]" * (MAX_NESTING - 1)

    assert loads(b"[[]," + deepest + b",[]]") == json.loads(b"[[]," + deepest + b",[]]")


def test_brackets_after_a_string_that_looks_open_still_count() -> None:
    with pytest.raises(NotStrictJson, match="nested too deeply"):
        loads(b'["\\\\",' + b"[" * MAX_NESTING + b"]" * MAX_NESTING + b"]")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("filling", ['\\"', '"', '"\\', '"["', '""[', '"{\\"'])
def test_no_arrangement_of_quotes_makes_reading_slower_than_its_length(filling: str) -> None:
    """Half a megabyte: a scan that starts over at every quote would need many minutes."""
    text = "[" * (MAX_NESTING + 1) + '"' + filling * (512 * 1024 // len(filling))

    with pytest.raises(NotStrictJson):
        loads(text.encode(), 10**6)


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("9" * MAX_NUMBER_CHARACTERS, int("9" * MAX_NUMBER_CHARACTERS)),
        ("-" + "9" * (MAX_NUMBER_CHARACTERS - 1), -int("9" * (MAX_NUMBER_CHARACTERS - 1))),
        ("0." + "1" * (MAX_NUMBER_CHARACTERS - 2), float("0." + "1" * (MAX_NUMBER_CHARACTERS - 2))),
        ("1e308", 1e308),
        ("1e-400", 0.0),
    ],
)
def test_a_number_of_as_many_characters_as_the_bound_is_read(digits: str, value: float) -> None:
    assert loads(digits.encode()) == value


@pytest.mark.parametrize(
    "digits",
    [
        "9" * (MAX_NUMBER_CHARACTERS + 1),
        "-" + "9" * MAX_NUMBER_CHARACTERS,
        "0." + "1" * (MAX_NUMBER_CHARACTERS - 1),
        "1" * 5_000,
        "1" * 500_000,
        "1." + "0" * 5_000,
        "1e" + "0" * 5_000 + "1",
    ],
)
def test_a_longer_number_is_refused_before_it_is_converted(digits: str) -> None:
    with pytest.raises(NotStrictJson, match=r"^a number too long$"):
        loads(b'{"exp":' + digits.encode() + b"}")


def test_name_that_came_before_is_the_same_object() -> None:
    """Thousands of remembered tokens have the same claim names: kept once, they cost nothing."""
    first, second = (next(iter(loads(b'{"cognito:groups":[]}'))) for _ in range(2))

    assert first is second


def test_long_name_is_not_kept() -> None:
    name = "n" * (MAX_NAME_KEPT_CHARACTERS + 1)
    first, second = (next(iter(loads(json.dumps({name: 1}).encode()))) for _ in range(2))

    assert first == second == name
    assert first is not second


@pytest.mark.parametrize("length", [MAX_NAME_KEPT_CHARACTERS, MAX_NAME_KEPT_CHARACTERS + 1])
def test_a_name_of_as_many_characters_as_the_bound_is_one_object_in_every_text(length: int) -> None:
    (first,), (second,) = (loads(b'{"' + b"n" * length + b'":1}') for _ in range(2))

    assert (first is second) is (length <= MAX_NAME_KEPT_CHARACTERS)
