from __future__ import annotations

from typing import Any

import pytest

from authz.core.grants import MAX_GROUPS_SHOWN
from authz.core.reasons import USER_POOLS_API_TEXT
from tests.fakes.court import Court
from tests.fakes.people import API_SCOPE, court, token

_LOCKED: dict[str, Any] = {"custom:plan": "gold", "custom:locked": True}
_AS_TEXT: dict[str, Any] = {"cognito:groups": "staff"}


def _when(*groups: str, scope: str = "orders/read") -> dict[str, Any]:
    return {"when": {"groups": {"any_of": list(groups)}}, "scopes": [scope]}


def _detail(pool: Court, text: str, policy: str = "read") -> str:
    denied = pool.denied(text, policy)
    assert denied is not None
    assert denied.reason.row.label == "scope_insufficient"
    return denied.detail


def test_grant_is_judged_like_a_policy() -> None:
    grant = {
        "when": {
            "groups": {"any_of": ["staff"], "none_of": ["suspended"]},
            "claims": {"custom:plan": ["gold", "silver"], "custom:locked": {"none_of": [True]}},
        },
        "scopes": ["orders/read"],
    }
    pool = court(grant)

    assert pool.reason(token("staff", **{"custom:plan": "gold"}), "read") == "ok"
    assert pool.reason(token("staff"), "read") == "scope_insufficient"
    assert pool.reason(token("staff", "suspended", **{"custom:plan": "gold"}), "read") == "scope_insufficient"
    assert pool.reason(token("staff", **_LOCKED), "read") == ("scope_insufficient")
    assert pool.reason(token("staff", **{"custom:plan": "Gold"}), "read") == "scope_insufficient"


def test_scopes_of_several_grants_add_up() -> None:
    pool = court(
        _when("readers"), _when("writers", scope="orders/write"), both={"scopes": ["orders/read", "orders/write"]}
    )

    assert pool.reason(token("readers", "writers"), "both") == "ok"
    assert pool.reason(token("readers"), "both") == "scope_insufficient"


def test_grant_never_gives_what_a_policy_excludes_through_another() -> None:
    pool = court(_when("readers"), _when("guests", scope="readonly"), w={"scopes": {"none_of": ["readonly"]}})

    assert pool.reason(token("readers", "guests"), "w") == "scope_insufficient"


def test_refused_api_token_is_told_the_way_out_and_the_log_names_the_grant() -> None:
    pool = court(_when("order-readers", "staff"), _when("admins", scope="orders/write"))

    denied = pool.denied(token("guests"), "read")

    assert denied is not None
    assert denied.text == USER_POOLS_API_TEXT
    assert denied.detail == (
        "a user pools API token in groups 'guests': grants of people give "
        "orders/read to groups any_of [order-readers, staff]"
    )


def test_log_says_where_no_grant_gives_the_scope() -> None:
    told = _detail(court(), token("staff"))

    assert told == ("a user pools API token in groups 'staff': no grant of people gives orders/admin, orders/read")


def test_log_says_where_the_token_is_in_no_group() -> None:
    assert "a user pools API token in no group" in _detail(court(), token())
    assert "a user pools API token in no group" in _detail(court(), token(**_AS_TEXT))


def test_log_names_only_what_is_still_missing() -> None:
    pool = court(_when("readers"), both={"scopes": ["orders/read", "orders/write"]})

    assert _detail(pool, token("readers"), "both").endswith("no grant of people gives orders/write")


def test_many_and_strange_groups_stay_short_and_escaped_in_the_log() -> None:
    told = _detail(court(), token(*(f"{n:03}\n\x1b[31m" + "x" * 200 for n in range(30))))

    assert f"and {30 - MAX_GROUPS_SHOWN} more" in told
    assert told.isprintable()
    assert len(told) < 1000


@pytest.mark.parametrize("scope", ["openid", f"{API_SCOPE} openid", ""])
def test_token_that_could_carry_scopes_gets_the_ordinary_answer(scope: str) -> None:
    denied = court().denied(token(scope=scope), "read")

    assert denied is not None
    assert denied.text != USER_POOLS_API_TEXT
    assert denied.detail.startswith("granted: ")


@pytest.mark.parametrize("scopes", [{}, {"any_of": ["orders/read"]}, {"all_of": ["orders/read"]}], ids=str)
def test_token_refused_for_a_scope_that_is_excluded_is_not_sent_after_a_grant(scopes: dict[str, Any]) -> None:
    pool = court(_when("readers"), no={"scopes": scopes | {"none_of": [API_SCOPE]}})

    denied = pool.denied(token("readers"), "no")

    assert denied is not None
    assert denied.reason.row.label == "scope_insufficient"
    assert denied.text != USER_POOLS_API_TEXT


def test_log_names_every_grant_that_helps_with_the_whole_of_its_condition() -> None:
    pool = court(
        {
            "when": {"groups": {"all_of": "a", "none_of": "b"}, "claims": {"/x/y": {"any_of": [1, 2]}, "z": "w"}},
            "scopes": "orders/read",
        },
        {"when": {"claims": {"sub": "s"}}, "scopes": ["orders/read", "orders/admin", "orders/other"]},
    )

    assert _detail(pool, token("c", "d")) == (
        "a user pools API token in groups 'c', 'd': grants of people give "
        "orders/read to groups all_of [a] none_of [b] and /x/y any_of [1, 2] and z any_of [w]; or "
        "orders/admin, orders/read to sub any_of [s]"
    )


@pytest.mark.parametrize(("count", "more"), [(MAX_GROUPS_SHOWN, ""), (MAX_GROUPS_SHOWN + 1, " and 1 more")])
def test_log_counts_the_groups_that_it_leaves_out(count: int, more: str) -> None:
    names = [f"g{number}" for number in range(count)]
    shown = ", ".join(repr(name) for name in names[:MAX_GROUPS_SHOWN])

    assert _detail(court(), token(*names)).startswith(f"a user pools API token in groups {shown}{more}: ")
