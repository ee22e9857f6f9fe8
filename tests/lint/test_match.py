"""The requests a route takes from another, derived from their text alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from authz.envoy.fields import Fields
from authz.tools.lint.match import Match


def _match(text: str) -> Match:
    data: dict[str, Any] = yaml.safe_load(f"{{ {text} }}")
    return Match(Fields(data, ()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("prefix: /", "path: /a"),
        ("prefix: /", "safe_regex: { regex: '/a[0-9]' }"),
        ("safe_regex: { regex: '.*' }", "prefix: /a"),
        ("prefix: /a", "prefix: /ab"),
        ("prefix: /a", "path_separated_prefix: /a/b"),
        ("prefix: /a/", "path: /a/b"),
        ("path_separated_prefix: /a", "path: /a"),
        ("path_separated_prefix: /a", "path: /a/b"),
        ("path_separated_prefix: /a", "prefix: /a/"),
        ("path_separated_prefix: /a", "path_separated_prefix: /a/b"),
        ("pathSeparatedPrefix: /a", "path_separated_prefix: /a"),
        ("path: /a", "path: /a"),
        ("prefix: /A, case_sensitive: false", "path: /a/b"),
        ("safe_regex: { regex: '/a' }", "safe_regex: { regex: '/a' }"),
        ("prefix: /a", "prefix: /a, headers: [{ name: x, present_match: true }]"),
        (
            "prefix: /, headers: [{ name: x, present_match: true }]",
            "path: /a, headers: [{ name: y, present_match: true }, { name: x, present_match: true }]",
        ),
    ],
)
def test_covered(one: str, other: str) -> None:
    assert _match(one).covers(_match(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("path: /a", "prefix: /a"),
        ("prefix: /a/", "path: /a"),
        ("prefix: /a", "path: /A"),
        ("prefix: /a", "path: /a, case_sensitive: false"),
        ("path_separated_prefix: /a", "path: /ab"),
        ("path_separated_prefix: /a", "prefix: /a"),
        ("path_separated_prefix: /a", "prefix: /ab"),
        ("safe_regex: { regex: '/a' }", "path: /a"),
        ("prefix: /a", "safe_regex: { regex: '/a' }"),
        ("prefix: /", "connect_matcher: {}"),
        ("prefix: /, headers: [{ name: x, present_match: true }]", "path: /a"),
        ("prefix: /, grpc: {}", "path: /a"),
        ("prefix: /, query_parameters: [{ name: a, present_match: true }]", "prefix: /"),
        ("prefix: /, runtime_fraction: { default_value: { numerator: 50 } }", "prefix: /"),
    ],
)
def test_not_covered(one: str, other: str) -> None:
    assert not _match(one).covers(_match(other))


@pytest.mark.parametrize(
    ("headers", "methods"),
    [
        ("[{ name: ':method', string_match: { exact: GET } }]", {"GET"}),
        ("[{ name: ':method', exact_match: GET }]", {"GET"}),
        ("[{ name: ':method', string_match: { exact: GET }, invert_match: true }]", set()),
        ("[{ name: x, string_match: { exact: GET } }]", set()),
        ("[]", set()),
    ],
)
def test_the_method_is_read_where_it_is_exact(headers: str, methods: set[str]) -> None:
    assert _match(f"prefix: /, headers: {headers}").methods == methods
