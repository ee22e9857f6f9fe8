"""Sets of values in words."""

from __future__ import annotations

from dataclasses import dataclass

from authz.tools.access.regions.intervals import ALL, Intervals, both, complement, contains, starting_with, union
from authz.tools.access.regions.parts import AUTHORITIES, HOST
from authz.tools.access.regions.text_shapes import Shape, ShapeKind, shapes
from authz.tools.access.regions.values import Values, everything

_BACKWARDS = AUTHORITIES | {HOST}

MAX_WORDS = 60
"""Characters of an expression that are shown."""
MAX_NAMED = 6
"""Texts that are listed before `and N more`."""


def interval_words(part: str, intervals: Intervals, anything: str) -> str:
    """The intervals of a part as a list of texts and prefixes. `anything` is the word for all its values."""
    universe = everything(part).intervals
    root = "/" if universe == starting_with("/") else ""
    if not root:
        # What the part cannot be is no exception that a reader wants to see.
        intervals = union((*intervals, *complement(universe)))
    found = tuple(each for each in shapes(intervals, root) if each != Shape("") or contains(universe, ""))
    separator = "; " if any(each.without for each in found) else ", "
    return _listed(found, separator, _Wording(root, anything, part in _BACKWARDS)) or "nothing"


@dataclass(frozen=True, slots=True)
class _Wording:
    root: str
    anything: str
    is_reversed: bool

    def of(self, shape: Shape) -> str:
        """A shape in words."""
        text = _shown(shape.text[::-1] if self.is_reversed else shape.text)
        without = shape.without
        if shape.kind is ShapeKind.RANGE:
            words = f"from {shape.text!r} to before {shape.end!r}" + (" (read backwards)" if self.is_reversed else "")
        elif shape.kind is ShapeKind.EXACT:
            words = text
        elif shape.kind is ShapeKind.BELOW:
            words = f"{text} and below"
        elif shape.text == self.root:
            words = self.anything
        elif self.is_reversed:
            words = f"*{text}"
            # `*.example.com` needs a name before the dot: readers know that.
            without = tuple(each for each in without if each != Shape(shape.text))
        else:
            words = f"{text}*"
        return f"{words} without {_listed(without, ', ', self)}" if without else words


def _listed(found: tuple[Shape, ...], separator: str, wording: _Wording) -> str:
    named = separator.join(map(wording.of, found[:MAX_NAMED]))
    return f"{named} and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else named


def _shown(text: str) -> str:
    """A text of bytes as a reader knows it."""
    known = text.encode("latin-1", "replace").decode("utf-8", "backslashreplace")
    return known if known and known.isprintable() else repr(known)


def value_words(part: str, values: Values) -> str:
    """The condition on one part in words."""
    name = f"query {part[1:]}" if part.startswith("?") else part.partition(" ")[0]
    words = []
    if values.intervals not in {ALL, everything(part).intervals}:
        words.append(interval_words(part, values.intervals, "any value"))
    if values.folded != ALL:
        folded = both(values.folded, everything(part).intervals)
        words.append(f"{interval_words(part, folded, 'any value')} in any case")
    words += [
        f"{'' if is_member else 'not '}{_shortened(str(each))}" for is_member, each in sorted(values.languages, key=str)
    ]
    if values.absent:
        return f"[{name}: {' and '.join([*words]) or 'any'}, or missing]" if values.intervals else f"[no {name}]"
    return f"[{name}: {' and '.join(words) or 'present'}]"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"
