"""The recipes of docs/providers.md: each configuration compiles, a token of its shape passes, and others do not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from authz.core.profiles import PROFILES
from authz.core.reasons import Reason
from tests.docs.markdown import ROOT, blocks, headings, rows
from tests.fakes.checks import NOW, FixedKeys, Rig, key_set
from tests.fakes.keys import rsa_key, sign

PAGE = ROOT / "docs" / "providers.md"
KEY, KID = rsa_key(0), "recipe"
NAMES = [text for level, text in headings(PAGE) if level == 2]
RECIPES = dict(zip(NAMES, zip(blocks(PAGE, "yaml"), blocks(PAGE, "json"), strict=True), strict=True))
ROWS = rows(PAGE, "Providers")


def _rig(name: str) -> tuple[Rig, dict[str, Any]]:
    recipe, token = RECIPES[name]
    document = yaml.safe_load(recipe.text)
    (alias,) = document["issuers"]
    usual = {"sub": "someone", "iat": NOW - 10, "exp": NOW + 600}
    return Rig(document, {alias: FixedKeys(key_set(**{KID: KEY}))}), usual | json.loads(token.text)


def _reason(name: str, **changes: Any) -> Reason:
    rig, claims = _rig(name)
    return rig.reason(sign(KEY, claims | changes, kid=KID), "recipe")


@pytest.mark.parametrize("name", NAMES)
def test_a_token_of_the_shape_passes_and_tokens_of_strangers_do_not(name: str) -> None:
    assert _reason(name) is Reason.OK
    assert _reason(name, aud="elsewhere") is Reason.AUDIENCE_MISMATCH
    assert _reason(name, iss="https://elsewhere.example.com") is Reason.ISSUER_UNKNOWN
    assert _reason(name, exp=NOW - 60) is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_that_the_policy_reads_is_needed(name: str) -> None:
    rig, claims = _rig(name)
    issuer = next(iter(rig.configuration.issuers.by_alias.values()))
    policy = rig.configuration.policies["recipe"]
    read = [claim.tokens[0] for claim, _membership in policy.conditions.claims]
    read += [issuer.groups_claim.tokens[0]] if policy.conditions.groups and issuer.groups_claim else []
    read += [name for name in issuer.scope_claims if name in claims] if policy.scopes else []

    assert read
    for claim in read:
        assert _reason(name, **{claim: []}).row.outcome == "deny", claim


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_table_names_the_fields_of_the_recipe(row: list[str]) -> None:
    provider = row[0].removeprefix("[").partition("]")[0]
    section = next((name for name in NAMES if f"(#{_anchor(name)})" in row[0]), None)
    written = set(re.findall(r"`([a-z_]+)(?:: [^`]+)?`", row[2]))
    if section is None:
        assert provider in {"Amazon Cognito", "GitHub Actions, GitLab CI, CircleCI, Kubernetes"}
        return
    (fields,) = yaml.safe_load(RECIPES[section][0].text)["issuers"].values()

    assert set(fields) <= written
    assert written - set(fields) <= {"jwks_uri"}
    profile = re.search(r"`profile: (\w+)`", row[2])
    assert profile is not None
    assert profile[1] == fields["profile"]


def test_every_profile_of_people_and_spiffe_has_a_row() -> None:
    named = {name for row in ROWS for name in re.findall(r"`profile: (\w+)`", row[2])}

    assert named == {profile.name for profile in PROFILES.values() if not profile.is_workload} | {"spiffe"}


def _anchor(name: str) -> str:
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
