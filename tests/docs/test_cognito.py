"""The Lambda function of docs/cognito.md, run on events of both versions, and what authz makes of such tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from authz.core.reasons import Reason
from tests.fakes import people

_PAGE = Path(__file__).parents[2] / "docs" / "cognito.md"


def _event(version: str, *groups: str) -> dict[str, Any]:
    """The event of a pre token generation trigger, with the members that both versions have."""
    return {
        "version": version,
        "triggerSource": "TokenGeneration_Authentication",
        "userPoolId": people.POOL,
        "userName": "carol",
        "callerContext": {"clientId": "x"},
        "request": {
            "userAttributes": {"sub": "carol"},
            "groupConfiguration": {
                "groupsToOverride": list(groups),
                "iamRolesToOverride": [],
                "preferredRole": None,
            },
            "scopes": [people.API_SCOPE],
        },
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def _token_of(version: str, *groups: str) -> str:
    """The token that Cognito makes of what the function of the page returns: its scopes, and those of the trigger."""
    page = _PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"<!-- executed: trigger -->\n```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - the page's own text
    returned = scope["handler"](_event(version, *groups), None)
    added = returned["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["scopesToAdd"]
    return people.token(*groups, scope=" ".join([people.API_SCOPE, *added]))


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("groups", [("order-readers",), ("staff",), ("order-readers", "staff")])
def test_a_user_pools_api_token_with_scopes_of_the_trigger_passes_without_a_grant(
    version: str, groups: tuple[str, ...]
) -> None:
    assert people.court().reason(_token_of(version, *groups), "read") == "ok"


def test_a_group_without_scopes_gets_the_text_with_all_ways_out() -> None:
    denied = people.court().denied(_token_of("2", "guests"), "read")

    assert denied is not None
    assert denied.reason is Reason.SCOPE_INSUFFICIENT
    assert "hosted UI" in denied.text
    assert "grant" in denied.text
    assert "trigger" in denied.text
