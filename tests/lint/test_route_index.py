"""The index of routes finds the same routes as a comparison of every pair."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authz.envoy.fields import Fields
from authz.tools.lint.match import Match
from authz.tools.lint.route_index import RouteIndex

_PATHS = st.sampled_from(["/", "/a", "/A", "/a/", "/ab", "/a/b", "/a/B"])
_KINDS = st.sampled_from(["prefix", "path", "path_separated_prefix", "safe_regex"])
_HEADERS = st.lists(st.sampled_from("xyz"), max_size=3, unique=True)


@st.composite
def _matches(draw: st.DrawFn) -> Match:
    kind, text = draw(_KINDS), draw(_PATHS)
    value: dict[str, Any] = {kind: {"regex": text} if kind == "safe_regex" else text}
    value["case_sensitive"] = draw(st.booleans())
    value["headers"] = [{"name": name, "present_match": True} for name in draw(_HEADERS)]
    return Match(Fields(value))


@given(st.lists(_matches(), max_size=12))
def test_the_index_agrees_with_a_comparison_of_every_pair(matches: list[Match]) -> None:
    index = RouteIndex(matches)

    for at, match in enumerate(matches):
        before, after = list(enumerate(matches))[:at], list(enumerate(matches))[at + 1 :]
        assert index.first_cover(at) == next((i for i, each in before if each.covers(match)), None)
        others = [(i, each) for i, each in before if each.path != match.path]
        assert index.other_paths_before(at) == [i for i, each in others if each.covers_path_of(match)]
        following = (i for i, each in after if each.covers_path_of(match) and not each.conditions)
        assert index.next_unconditional(at) == next(following, None)
