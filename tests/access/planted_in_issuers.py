"""Changes of issuers that admit more tokens, through policies that stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.access.generated_files import Plan
from tests.access.planted_kind import Kinds, Plant

KINDS = Kinds()


def _issuer_field(alias: str, change: Callable[[dict[str, Any]], object]) -> Plant:
    def plant(plan: Plan, _random: Random) -> bool | None:
        return None if change(plan.issuers[alias]) is False else True

    return plant


KINDS.named("client added")(_issuer_field("pool", lambda issuer: issuer["client_ids"].append("c3")))
KINDS.named("audience added")(_issuer_field("realm", lambda issuer: issuer["audiences"].append("other-api")))
KINDS.named("any audience")(_issuer_field("realm", lambda issuer: issuer.update(audiences="any")))
KINDS.named("audience not required")(
    _issuer_field("pool", lambda issuer: issuer.pop("require_audience", None) is not None)
)
KINDS.named("proof of possession ignored")(
    _issuer_field("realm", lambda issuer: issuer.update(ignore_confirmation=True))
)
KINDS.named("leeway longer")(_issuer_field("realm", lambda issuer: issuer.update(leeway=60)))
KINDS.named("tenant added")(_issuer_field("directory", lambda issuer: issuer["tenants"].append("tenant-c")))
KINDS.named("any tenant")(_issuer_field("directory", lambda issuer: issuer.update(tenants="any")))
KINDS.named("another name of an issuer")(
    _issuer_field("realm", lambda issuer: issuer.update(issuer=[issuer["issuer"], "https://id.example.com/b"]))
)


@KINDS.named("any client", is_mixed=True)
def _any_client(plan: Plan, _random: Random) -> bool | None:
    plan.issuers["pool"]["client_ids"] = "any"
    return False  # clients that are listed are also accepted as `aud` (RFC 8707)


@KINDS.named("issuer added")
def _issuer_added(plan: Plan, _random: Random) -> bool | None:
    plan.issuers["late"] = {"profile": "oidc", "issuer": "https://late.example.com", "audiences": ["api"]}
    return True


def _grants(change: Callable[[list[dict[str, Any]]], object]) -> Plant:
    def plant(plan: Plan, _random: Random) -> bool | None:
        change(plan.issuers["pool"]["grants"])
        # A granted scope can be one that a policy forbids.
        return not any("none_of" in policy.get("scopes", {}) for policy in plan.policies.values())

    return plant


KINDS.named("grant added")(
    _grants(lambda grants: grants.append({"when": {"groups": ["writers"]}, "scopes": ["orders/write", "users/read"]}))
)
KINDS.named("grant gives more scopes")(
    _grants(lambda grants: grants[0].update(scopes=["orders/read", "orders/write", "users/read"]))
)
KINDS.named("grant for more groups")(
    _grants(lambda grants: grants[0].update(when={"groups": {"any_of": ["admins", "readers"]}}))
)
KINDS.named("grant for another claim")(
    _grants(lambda grants: grants.append({"when": {"claims": {"department": ["it"]}}, "scopes": ["orders/read"]}))
)
