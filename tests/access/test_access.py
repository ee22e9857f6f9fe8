"""`authz access` as users call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from authz.cli.main import main
from tests.access.generated_files import ANSWERED, Host, Plan, bootstrap

Show = Callable[..., str]

_REDIRECTS = [
    Host("redirected", ["old.example.com"], [({"prefix": "/a"}, "authenticated"), ({"prefix": "/"}, "deny")]),
    Host("app", ["api.example.com"], [({"path": "/logo"}, ANSWERED), ({"prefix": "/"}, "authenticated")]),
]
_ISSUERS = {
    "pool": {
        "profile": "cognito",
        "user_pool_id": "ap-northeast-1_AbCdEfGhI",
        "client_ids": ["c1", "c2"],
        "grants": [{"when": {"groups": ["admins"]}, "scopes": ["orders/read", "orders/write"]}],
    },
    "realm": {"profile": "keycloak", "issuer": "https://id.example.com/realms/a", "audiences": ["api"]},
}


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    """Run `authz access` on a small file and return its output."""
    policies = {
        "reader": {"scopes": ["orders/read"]},
        "writer": {"scopes": ["orders/read", "orders/write"]},
        "admins": {"scopes": ["orders/read"], "groups": ["admins"], "issuers": ["pool"]},
        "nobody": {"groups": {"all_of": ["a"], "none_of": ["a"]}},
        "sales": {"claims": {"department": ["sales"]}, "issuers": ["realm"]},
    }
    routes = [({"path": f"/{name}"}, name) for name in policies]
    routes += [({"prefix": "/"}, "deny"), ({"path": "/late"}, "reader")]
    plan = Plan(_ISSUERS, policies, [Host("app", ["api.example.com"], routes)])
    (tmp_path / "envoy.yaml").write_text(plan.text(), encoding="utf-8")

    def shown(*arguments: str) -> str:
        assert main(["access", str(tmp_path / "envoy.yaml"), *arguments]) == 0
        return capsys.readouterr().out

    return shown


def test_every_region_shows_its_policy_its_ways_in_and_an_example(show: Show) -> None:
    out = show()
    assert "pool: access tokens of clients c1, c2 with scopes: all of orders/read" in out
    assert "a grant gives orders/read for groups: all of admins" in out
    assert '"scope": "orders/read"' in out


def test_a_route_that_no_request_reaches_is_named(show: Show) -> None:
    assert "unreachable route: " in show()


def test_a_policy_that_nobody_can_meet_and_one_whose_scopes_demand_nothing_are_named(show: Show) -> None:
    out = show()
    assert "nobody can meet it" in out
    assert "its scopes demand nothing" in out


def test_policies_that_admit_all_that_others_admit_are_named_on_request(show: Show) -> None:
    assert "reader admits all that writer admits, and more" in show("--policies")


def test_only_regions_that_an_identity_can_reach_are_shown(show: Show) -> None:
    found = json.loads(show("--who", "issuer=realm department=hr", "--output", "json"))
    assert [each["policy"] for each in found["regions"]] == ["reader", "writer"]


def test_only_regions_that_a_request_can_meet_are_shown(show: Show) -> None:
    for request in ("POST /writer", "POST https://api.example.com/writer"):
        found = json.loads(show("--route", request, "--output", "json"))
        assert [each["policy"] for each in found["regions"]] == ["writer"]


def test_the_table_for_a_page_has_a_row_for_each_region(show: Show) -> None:
    assert show("--output", "markdown").count("\n| ") == 6


@pytest.mark.parametrize("arguments", [("--who", "nonsense"), ("--who", "issuer=other"), ("--route", "no such thing")])
def test_a_wrong_question_is_an_operator_error(show: Show, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    show()
    assert main(["access", str(tmp_path / "envoy.yaml"), *arguments]) == 2


@pytest.mark.parametrize("output", ["text", "markdown"])
def test_nobody_is_not_said_of_an_undecided_host_and_its_routes_are_not_called_unreachable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    data = bootstrap(Plan(_ISSUERS, {}, _REDIRECTS))
    (chain,) = data["static_resources"]["listeners"][0]["filter_chains"]
    chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["require_tls"] = "ALL"
    (tmp_path / "envoy.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")
    assert main(["access", "--output", output, str(tmp_path / "envoy.yaml")]) == 0
    out = capsys.readouterr().out
    assert "undecided: the virtual host has a matcher tree, or redirects to TLS" in out
    assert "unreachable" not in out
    assert "who: nobody\n" not in out
    assert "| nobody |" not in out
    assert out.count("nobody: Envoy answers, and no upstream is reached") == 1
