"""The check of queries finds wrong queries."""

from __future__ import annotations

import pytest

from tests.deploy.queries import Page

_PAGE = Page({"authz_checks_total": {"outcome": frozenset({"allow", "deny"}), "policy": frozenset({"p"})}})


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ('sum by (policy, job) (rate(authz_checks_total{outcome=~"allow|deny", job="a"}[5m]))', []),
        ("authz_check_total", ["authz_check_total"]),
        ('authz_checks_total{outcome!="denied"}', ['authz_checks_total{outcome="denied"}']),
        ('authz_checks_total{outcome=~"allow|nothing"}', ['authz_checks_total{outcome="nothing"}']),
        ('authz_checks_total{route="a"}', ["authz_checks_total{route}"]),
        ("sum by (polcy) (authz_checks_total)", ["polcy"]),
    ],
    ids=["all there", "metric", "value", "one of several values", "label", "grouping label"],
)
def test_what_a_page_does_not_have_is_named(expression: str, missing: list[str]) -> None:
    assert _PAGE.missing(expression) == missing
