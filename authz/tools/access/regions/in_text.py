"""Sets of values in words."""

from __future__ import annotations

from authz.tools.access.regions.intervals import ALL, TOP, Intervals, complement, starting_with
from authz.tools.access.regions.values import AUTHORITIES, HOST, Values, everything

MAX_WORDS = 60
"""Characters of an expression that are shown."""
MAX_NAMED = 6
"""Texts that are listed before `and N more`."""


def interval_words(intervals: Intervals, anything: str, *, is_reversed: bool = False) -> str:
    """Intervals as a list of texts and prefixes, or as an exception list if that is shorter."""
    outside = complement(intervals)
    domain = {ALL, everything("path").intervals, everything("host").intervals}
    if intervals in domain:
        return anything
    if not is_reversed and outside and outside[0] == ("", "/") and outside[-1][1] == TOP:
        outside = outside[1:-1]  # every path starts with a slash
    elif outside and outside[0] == ("", "\0"):
        outside = outside[1:]
    if outside and len(outside) < len(intervals):
        return f"{anything} except {_listed(outside, is_reversed=is_reversed)}"
    return _listed(intervals, is_reversed=is_reversed)


def _listed(intervals: Intervals, *, is_reversed: bool) -> str:
    named = [_interval(*each, is_reversed=is_reversed) for each in intervals[:MAX_NAMED]]
    more = len(intervals) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _interval(low: str, high: str, *, is_reversed: bool) -> str:
    if high == f"{low}\0":
        return low[::-1] if is_reversed else low
    if ((low, high),) == starting_with(low):
        return f"*{low[::-1]}" if is_reversed else f"{low}*"
    stem = low.removesuffix("\0")
    if low.endswith("\0") and ((stem, high),) == starting_with(stem):
        return f"*?{stem[::-1]}" if is_reversed else f"{stem}?*"
    return f"from {low!r} to before {high!r}" + (" (read backwards)" if is_reversed else "")


def value_words(part: str, values: Values) -> str:
    """The condition on one part in words."""
    name = f"query {part[1:]}" if part.startswith("?") else part.partition(" ")[0]
    words = []
    if values.intervals not in {ALL, everything(part).intervals}:
        words.append(interval_words(values.intervals, "any value", is_reversed=part in {HOST, *AUTHORITIES}))
    words += [
        f"{'' if is_member else 'not '}{_shortened(str(each))}" for is_member, each in sorted(values.languages, key=str)
    ]
    if values.absent:
        return f"[{name}: {' and '.join([*words]) or 'any'}, or missing]" if values.intervals else f"[no {name}]"
    return f"[{name}: {' and '.join(words) or 'present'}]"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"
