"""Changes of policies that admit more tokens."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.access.generated_files import ACR, Plan
from tests.access.planted_kind import Kinds, Plant

KINDS = Kinds()


def _used(plan: Plan) -> list[dict[str, Any]]:
    """The named policies that a route has."""
    names = {policy for host in plan.hosts for _match, policy in host.routes if isinstance(policy, str)}
    return [policy for name, policy in sorted(plan.policies.items()) if name in names]


def _with(plan: Plan, random: Random, *fields: str) -> dict[str, Any] | None:
    """A used policy that has these fields."""
    found = [policy for policy in _used(plan) if all(field in policy for field in fields)]
    return random.choice(found) if found else None


def _without(field: str) -> Plant:
    def plant(plan: Plan, random: Random) -> bool | None:
        policy = _with(plan, random, field)
        if policy is None:
            return None
        del policy[field]
        return True

    return plant


for _field in ("scopes", "groups", "acr", "max_age"):
    KINDS.named(f"{_field} dropped")(_without(_field))


def _demand_of(field: str, part: str, change: Callable[[list[Any], dict[str, Any], Random], object]) -> Plant:
    """Change one part of `scopes` or `groups`."""

    def plant(plan: Plan, random: Random) -> bool | None:
        found = [each[field] for each in _used(plan) if field in each and part in each[field]]
        if not found:
            return None
        demand = random.choice(found)
        return None if change(demand[part], demand, random) is False else True

    return plant


def _drop_one(values: list[Any], _demand: dict[str, Any], _random: Random) -> bool:
    if len(values) < 2:
        return False
    values.pop()
    return True


def _make_any(values: list[Any], demand: dict[str, Any], _random: Random) -> bool:
    if len(values) < 2 or "any_of" in demand:
        return False
    demand["any_of"] = demand.pop("all_of")
    return True


def _allow(_values: list[Any], demand: dict[str, Any], _random: Random) -> bool:
    del demand["none_of"]
    return bool(demand)


def _add_other(values: list[Any], _demand: dict[str, Any], _random: Random) -> None:
    values.append("another")


for _field in ("scopes", "groups"):
    KINDS.named(f"one of {_field} dropped")(_demand_of(_field, "all_of", _drop_one))
    KINDS.named(f"any of {_field} instead of all")(_demand_of(_field, "all_of", _make_any))
    KINDS.named(f"forbidden {_field} allowed")(_demand_of(_field, "none_of", _allow))
KINDS.named("another group accepted")(_demand_of("groups", "any_of", _add_other))


@KINDS.named("claim dropped")
def _claim_dropped(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "claims")
    if policy is None:
        return None
    del policy["claims"][random.choice(sorted(policy["claims"]))]
    if not policy["claims"]:
        del policy["claims"]
    return True


@KINDS.named("another value of a claim accepted")
def _claim_widened(plan: Plan, random: Random) -> bool | None:
    found = [values for each in _used(plan) for values in each.get("claims", {}).values() if isinstance(values, list)]
    if not found:
        return None
    random.choice(found).append("another")
    return True


@KINDS.named("another acr accepted")
def _acr_added(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "acr")
    if policy is None:
        return None
    policy["acr"].append(ACR[2])
    return True


@KINDS.named("older sign-in accepted")
def _older(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "max_age")
    if policy is None:
        return None
    policy["max_age"] *= 2
    return True


@KINDS.named("any token use accepted")
def _any_use(plan: Plan, random: Random) -> bool | None:
    found = _used(plan)
    if not found:
        return None
    random.choice(found)["token_use"] = "any"
    return True


@KINDS.named("another issuer accepted")
def _issuer_accepted(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "issuers")
    if policy is None:
        return None
    others = sorted({"pool", "realm", *(() if "userinfo" in policy else ("directory",))} - set(policy["issuers"]))
    if not others:
        return None
    policy["issuers"].append(random.choice(others))
    return True


@KINDS.named("every issuer accepted")
def _issuers_dropped(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "issuers")
    if policy is None or "userinfo" in policy:
        return None
    del policy["issuers"]
    return True


@KINDS.named("userinfo not asked")
def _userinfo_dropped(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "userinfo")
    if policy is None or "@userinfo/email_verified" in policy.get("claims", {}):
        return None
    del policy["userinfo"]
    # Groups of the answer replace those of the token, so other tokens can lose the route.
    return "groups" not in policy


@KINDS.named("userinfo not required")
def _userinfo_optional(plan: Plan, random: Random) -> bool | None:
    policy = _with(plan, random, "userinfo")
    if policy is None or policy["userinfo"] is not True or "groups" in policy:
        return None
    policy["userinfo"] = {"required": False}
    return True


@KINDS.named("condition on userinfo dropped")
def _userinfo_claim_dropped(plan: Plan, random: Random) -> bool | None:
    found = [each for each in _used(plan) if "@userinfo/email_verified" in each.get("claims", {})]
    if not found:
        return None
    policy = random.choice(found)
    del policy["claims"]["@userinfo/email_verified"]
    if not policy["claims"]:
        del policy["claims"]
    return True


@KINDS.named("token not needed")
def _optional(plan: Plan, random: Random) -> bool | None:
    found = [each for each in _used(plan) if not isinstance(each.get("userinfo"), dict)]
    if not found:
        return None
    random.choice(found)["optional"] = True
    return True
