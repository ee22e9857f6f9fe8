"""Every error in a file of tests is reported with line, column and fix."""

from __future__ import annotations

import pytest

from authz.core.problems import ConfigurationError
from authz.tools.policy_tests.suite import read_suite

_TEST = "tests:\n- name: a\n  policy: p\n"


def test_file_is_read_as_it_was_written() -> None:
    suite = read_suite(
        """\
envoy_config: envoy.yaml
now: 2026-01-31T12:00:00Z
tokens:
  reader: { issuer: cognito, claims: { scope: orders/read }, age: 5m, ahead: 1m, lifetime: 2h }
tests:
- name: first
  request: POST https://a/b
  token: reader
  headers: { X-Other: "1" }
  expect: { reason: ok, status: 200, headers: { X-A: b, X-C: null } }
- name: second
  policy: p
  authorization: Basic x
  expect: denied
""",
        "tests.yaml",
    )

    first, second = suite.cases
    assert (suite.envoy_config, suite.now) == ("envoy.yaml", 1769860800.0)
    assert first.bearer is not None
    assert first.bearer.minted is not None
    assert (first.bearer.issuer, first.bearer.minted.age_seconds, first.bearer.minted.lifetime_seconds) == (
        "cognito",
        240.0,
        7200.0,
    )
    assert (first.request.method if first.request else "", first.headers) == ("POST", {"x-other": "1"})
    assert first.expected.headers == {"x-a": "b", "x-c": None}
    assert str(first.location) == "tests.yaml:6:3"
    assert (second.authorization, second.expected.reason) == ("Basic x", "denied")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "1:1", "the file is empty"),
        ("[1", "2:1", "not YAML"),
        ("- a", "1:1", "a mapping is needed"),
        ("{}", "1:1", "tests is missing"),
        ("tests: []", "1:8", "a list is needed, not an empty list"),
        (_TEST, "2:3", "expect is missing"),
        (_TEST + "  expect: okay", "4:11", "Did you mean `ok`?"),
        (_TEST + "  expect: {}", "4:11", "nothing is expected"),
        (_TEST + "  expect: { status: 42 }", "4:21", "an HTTP status is needed"),
        (_TEST + "  expect: { decision: maybe }", "4:23", "is not one of allow, deny, error, none"),
        (_TEST + "  expect: ok\n  tokn: a", "5:3", "Did you mean `token`?"),
        (_TEST + "  expect: ok\n  token: reader", "5:10", "no token is called 'reader'"),
        (_TEST + "  expect: ok\n  token: { claim: {} }", "5:12", "Did you mean `claims`?"),
        (_TEST + "  expect: ok\n  token: { claims: [1] }", "5:20", "a mapping is needed"),
        (_TEST + "  expect: ok\n  token: { age: soon }", "5:17", "a duration"),
        (_TEST + "  expect: ok\n  request: orders", "5:12", "must begin with https"),
        (_TEST + "  expect: ok\n  token: { text: a }\n  authorization: b", "6:18", "both set"),
        ("tests:\n- policy: p\n  expect: ok", "2:3", "name is missing"),
        ("tests:\n- name: a\n  expect: ok", "2:3", "neither policy nor request"),
        ("now: tomorrow\n" + _TEST + "  expect: ok", "1:6", "a time is needed"),
    ],
)
def test_error_is_reported_with_its_position(text: str, place: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_suite(text, "t.yaml")

    assert f"t.yaml:{place}: " in str(caught.value)
    assert said in str(caught.value)
