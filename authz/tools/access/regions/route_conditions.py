"""Read `match` of a route: which paths, and which conditions on the other parts of a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from authz.envoy.fields import Fields, field_name
from authz.tools.access.regions.intervals import NONE, Intervals, both, exactly, starting_with
from authz.tools.access.regions.languages import Language, TooMuchEffort
from authz.tools.access.regions.parts import AUTHORITY, LOWER, PATH, TARGET
from authz.tools.access.regions.re2_syntax import NotModelled, as_bytes
from authz.tools.access.regions.request_set import Condition, conjunction
from authz.tools.access.regions.values import ANY_TEXT, Values, everything, has

_PATHS = ("prefix", "path", "path_separated_prefix", "safe_regex")
_MODELLED = frozenset({*_PATHS, "case_sensitive", "headers", "query_parameters"})
_TEXTS = ("exact", "prefix", "suffix", "contains")
_HEADER_FIELDS = frozenset({"name", "string_match", "present_match", "invert_match", "treat_missing_header_as_empty"})
_OLD_FIELDS = {f"{kind}_match": kind for kind in (*_TEXTS, "safe_regex")}
_SEPARATED = re.compile(r"[^?#]+[^?#/]")
_LETTERS = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class RouteCondition:
    """What a route matches. Its unknown conditions can only make it match less."""

    path: Intervals
    condition: Condition
    unknown: tuple[str, ...]
    """The conditions that are not modelled."""


def route_condition(match: Fields, target: str = TARGET, authority: str = AUTHORITY) -> RouteCondition:
    """Read a `match`. Never raises: a matcher that is not modelled is named in `unknown`.

    `target` and `authority` are the parts that matchers on `:path` and `:authority` restrict.
    """
    views = {TARGET: target, AUTHORITY: authority, "host": authority}
    unknown = [f"the condition {key}" for key in sorted(map(field_name, match.value)) if key not in _MODELLED]
    path: Intervals = everything(PATH).intervals
    condition: Condition = ()
    try:
        path, values = _path(match)
        condition = ((PATH, values),) if values is not ANY_TEXT else ()
    except (NotModelled, TooMuchEffort) as error:
        unknown.append(f"the path: {error}")
    for part, values in _parts(match, unknown):
        condition = conjunction(condition, ((views.get(part, part), values),))
    return RouteCondition(path, condition, tuple(unknown))


def _path(match: Fields) -> tuple[Intervals, Values]:
    """The intervals of the paths, and further conditions on the path."""
    kinds = [kind for kind in _PATHS if match.raw(kind) is not None]
    if len(kinds) != 1:
        raise NotModelled("no path matcher that is known")
    kind = kinds[0]
    universe = everything(PATH).intervals
    if kind == "safe_regex":
        language = _regex(match.get(kind))
        beginning = starting_with(language.literal_prefix())
        return both(universe, beginning), Values(languages=frozenset({(True, language)}))
    text = as_bytes(match.text(kind))
    if kind == "path_separated_prefix" and not _SEPARATED.fullmatch(text):
        raise NotModelled("a path that Envoy refuses")
    if match.raw("case_sensitive") is False and _has_letters(text):
        beginning = starting_with(_LETTERS.split(text)[0])
        return both(universe, beginning), Values(folded=_path_intervals(kind, text.translate(LOWER)))
    intervals = _path_intervals(kind, text)
    return intervals if text.startswith("/") else both(universe, intervals), ANY_TEXT


def _path_intervals(kind: str, text: str) -> Intervals:
    if kind == "path":
        return exactly(text)
    return starting_with(text) if kind == "prefix" else exactly(text) + starting_with(f"{text}/")


def _has_letters(text: str) -> bool:
    return _LETTERS.search(text) is not None


def _regex(fields: Fields) -> Language:
    language = Language("regex", fields.text("regex"))
    language.automaton()
    return language


def _parts(match: Fields, unknown: list[str]) -> Iterator[tuple[str, Values]]:
    for kind, read in (("headers", _header), ("query_parameters", _query)):
        for each in match.each(kind):
            name = each.text("name")
            try:
                yield read(name, each)
            except (NotModelled, TooMuchEffort) as error:
                unknown.append(f"{kind} {name:.40}: {error}")


def _header(name: str, fields: Fields) -> tuple[str, Values]:
    name = name.lower()
    keys = set(map(field_name, fields.value))
    kinds = keys & (_OLD_FIELDS.keys() | {"string_match", "present_match"})
    if keys - _HEADER_FIELDS - _OLD_FIELDS.keys() or len(kinds) > 1:
        raise NotModelled("a matcher that is not modelled")
    is_host = name in {"host", AUTHORITY}
    domain = everything(AUTHORITY if is_host else name)
    is_inverted = fields.raw("invert_match") is True
    is_empty_text = fields.raw("treat_missing_header_as_empty") is True
    if not kinds or "present_match" in kinds:
        if is_empty_text:
            raise NotModelled("a presence whose absence counts as a text")
        is_present = (fields.raw("present_match") is not False) is not is_inverted
        return name, Values(domain.intervals) if is_present else Values(NONE, absent=domain.absent)
    matcher = fields.get("string_match") if "string_match" in kinds else _as_string_match(fields, kinds.pop())
    values = _text(matcher, is_reversed=is_host)
    absent = domain.absent and is_empty_text and (_has_empty(values) is not is_inverted)
    if not is_inverted:
        return name, replace(values, intervals=both(domain.intervals, values.intervals), absent=absent)
    outside = list(Values(domain.intervals).without(values))
    if len(outside) > 1:
        raise NotModelled("an inverted matcher of several conditions")
    found = outside[0] if outside else Values(NONE)
    return name, replace(found, absent=absent)


def _as_string_match(fields: Fields, kind: str) -> Fields:
    return Fields({_OLD_FIELDS[kind]: fields.raw(kind)}, fields.path)


def _has_empty(values: Values) -> bool:
    return has(values, "")


def _text(matcher: Fields, *, is_reversed: bool = False) -> Values:
    """The texts that a string matcher accepts, read backwards on request."""
    keys = set(map(field_name, matcher.value))
    ignore_case = matcher.raw("ignore_case") is True
    kinds = keys - {"ignore_case"}
    if len(kinds) != 1 or not kinds <= {*_TEXTS, "safe_regex"}:
        raise NotModelled("a matcher that is not modelled")
    kind = kinds.pop()
    if kind == "safe_regex":
        language = replace(_regex(matcher.get(kind)), is_reversed=is_reversed)
        return Values(languages=frozenset({(True, language)}))
    text = matcher.text(kind)
    beginning = "suffix" if is_reversed else "prefix"
    if kind not in {"exact", beginning}:
        return Values(languages=frozenset({(True, Language(kind, text, ignore_case, is_reversed))}))
    text = as_bytes(text)[::-1] if is_reversed else as_bytes(text)
    between = exactly if kind == "exact" else starting_with
    if ignore_case and _has_letters(text):
        return Values(folded=between(text.translate(LOWER)))
    return Values(between(text))


def _query(name: str, fields: Fields) -> tuple[str, Values]:
    keys = set(map(field_name, fields.value)) - {"name"}
    if not name or set(name) & set("&=#?+% ") or len(keys) > 1 or not keys <= {"string_match", "present_match"}:
        raise NotModelled("a matcher that is not modelled")
    if keys == {"string_match"}:
        return f"?{name}", _text(fields.get("string_match"))
    if fields.raw("present_match") is False:
        raise NotModelled("an absence")
    return f"?{name}", Values()
