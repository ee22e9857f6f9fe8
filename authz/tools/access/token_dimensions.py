"""The properties of a token other than groups, claims and scopes, each as a short list of representative values.

Every value is judged by the core's own checks, so that the formula has no second copy of them. Two values with equal
results for both policies are one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

from authz.core.claims import ClaimName
from authz.core.issuers import Issuer, tenant_of
from authz.core.policy import Policy, PolicyCheck, check_audience, check_max_age, check_time, check_token_use
from authz.tools.access.sample_token import NOW, SampleToken, identity_of, is_admitted

MAX_AUDIENCE_SUBSETS = 5
"""Values of `aud` that are combined if a policy has a condition on `aud`: 32 sets. With more, the condition is taken as
independent of the audience check, which can only make the result undecided."""

OTHER_AUDIENCE = "any-other-audience"
OTHER_CLIENT = "any-other-client"

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """One representative value of a dimension."""

    claims: Claims
    """Claims to add; None removes one."""
    type: str
    passes: tuple[bool, ...]
    """For each side, whether its checks pass."""
    fixes: tuple[tuple[str, frozenset[Any]], ...] = ()
    """Claims that a condition names too, with their values: the condition must see the same claim."""


@dataclass(frozen=True, slots=True)
class JudgedSide:
    """An issuer that accepts the token's `iss`, and the policy of one configuration."""

    issuer: Issuer
    policy: Policy


def usual_claims(iss: str, issuer: Issuer) -> dict[str, Any]:
    """Claims that every token of the issuer has."""
    claims: dict[str, Any] = {"iss": iss, "sub": "any-subject", "exp": NOW + 3600, "iat": NOW - 60}
    for name in issuer.profile.required_claims:
        put(claims, name, "any-value")
    for template in issuer.templates:
        if tenant := tenant_of(template, iss):
            claims["tid"] = tenant
    return claims


def put(claims: dict[str, Any], name: ClaimName, value: object) -> None:
    """Set a claim, also inside of objects."""
    for token in name.tokens[:-1]:
        inner = claims.get(token)
        claims[token] = claims = dict(inner) if isinstance(inner, Mapping) else {}
    claims[name.tokens[-1]] = value


def dimensions(
    base: Claims, sides: tuple[JudgedSide, ...], conditions: Mapping[str, frozenset[Any]]
) -> list[tuple[Value, ...]]:
    """Every dimension in which the sides' checks can refuse. `conditions` has the values of top-level claims."""
    found = [_purposes(base, sides, conditions), _expiries(base, sides), _starts(base, sides), _sign_ins(base, sides)]
    found.append(_confirmations(base, sides))
    return found


def _purposes(
    base: Claims, sides: tuple[JudgedSide, ...], conditions: Mapping[str, frozenset[Any]]
) -> tuple[Value, ...]:
    """Token use, audience and client."""
    issuers = [side.issuer for side in sides]
    profile = issuers[0].profile
    linked = [name for name in ("aud", "client_id") if name in conditions]
    audiences: set[str] = set()
    clients: set[str] = set()
    for issuer in issuers:
        audiences |= issuer.audiences or frozenset()
        clients |= issuer.client_ids or frozenset()
    if profile.audience_is_client_id:
        audiences |= clients
    audiences |= _texts(conditions.get("aud", ()))
    clients |= _texts(conditions.get("client_id", ()))
    if len(audiences) > MAX_AUDIENCE_SUBSETS and "aud" in linked:
        linked.remove("aud")
    # Without a link, only the value's own result counts, and one value at a time shows every result.
    sets: list[tuple[str, ...]] = [(each,) for each in (*sorted(audiences), OTHER_AUDIENCE)]
    if "aud" in linked:
        values = (*sorted(audiences), OTHER_AUDIENCE)
        sets = [each for size in range(1, len(values) + 1) for each in combinations(values, size)]
    use_claim = profile.use_claim
    uses = [("jwt", {use_claim: use}) for use in ("access", "id", "other")] if use_claim else [
        (typ, {}) for typ in ("jwt", "at+jwt", "any-other-type")
    ]  # fmt: skip
    has_client = profile.audience_is_client_id or "client_id" in linked
    holders: list[dict[str, Any]] = [{"client_id": each} for each in (*sorted(clients), OTHER_CLIENT)]
    holders = [*holders, {}] if has_client else [{}]
    aud: list[dict[str, Any]] = [{}, *({"aud": each[0] if len(each) == 1 else list(each)} for each in sets)]
    if profile.audience_is_client_id is False:
        aud = [*aud[1:], {}]
    candidates = [({**use, **holder, **each}, typ) for (typ, use), holder, each in product(uses, holders, aud)]
    return _distinct(candidates, base, sides, (check_token_use, check_audience), tuple(linked))


def _expiries(base: Claims, sides: tuple[JudgedSide, ...]) -> tuple[Value, ...]:
    past = _between(side.issuer.leeway_seconds for side in sides)
    return _distinct([({"exp": NOW - each}, "jwt") for each in (-3600, *past)], base, sides, (check_time,))


def _starts(base: Claims, sides: tuple[JudgedSide, ...]) -> tuple[Value, ...]:
    early = _between(side.issuer.leeway_seconds for side in sides)
    return _distinct([({"nbf": NOW + each} if each else {}, "jwt") for each in (0, *early)], base, sides, (check_time,))


def _sign_ins(base: Claims, sides: tuple[JudgedSide, ...]) -> tuple[Value, ...]:
    """Ages since the sign-in, on and between all limits, and no time at all."""
    if all(side.policy.max_age_seconds is None for side in sides):
        return ()
    limits = [side.policy.max_age_seconds for side in sides if side.policy.max_age_seconds is not None]
    edges = [*limits, *(-side.issuer.leeway_seconds for side in sides)]
    ages = sorted({0.0, *edges, *_between(edges)})
    claims: list[dict[str, Any]] = [{"auth_time": NOW - age} for age in sorted(ages, key=lambda age: (age < 0, age))]
    claims.append({"auth_time": None, "iat": None})
    return _distinct([(each, "jwt") for each in claims], base, sides, (check_max_age,))


def _confirmations(base: Claims, sides: tuple[JudgedSide, ...]) -> tuple[Value, ...]:
    """With and without `cnf`. `identify` checks it, so no further check is needed."""
    return _distinct([({}, "jwt"), ({"cnf": {"jkt": "any-key"}}, "jwt")], base, sides, ())


def _between(limits: Iterable[float]) -> list[float]:
    """A point inside each gap between the limits, and one after the last."""
    ordered = sorted(set(limits))
    return [*((low + high) / 2 for low, high in pairwise(ordered)), ordered[-1] + 60.0]


def _texts(values: Iterable[Any]) -> set[str]:
    return {each for each in values if isinstance(each, str)}


def _distinct(
    candidates: list[tuple[dict[str, Any], str]],
    base: Claims,
    sides: tuple[JudgedSide, ...],
    checks: tuple[PolicyCheck, ...],
    linked: tuple[str, ...] = (),
) -> tuple[Value, ...]:
    """Judge candidates, and keep the first of those with equal results, if any side passes it."""
    found: dict[object, Value] = {}
    for added, typ in candidates:
        claims = {name: value for name, value in {**base, **added}.items() if value is not None}
        fixes = tuple((name, _as_set(claims.get(name))) for name in linked)
        passes = tuple(_passes(SampleToken(claims, typ), side, checks) for side in sides)
        if any(passes):
            found.setdefault((passes, fixes), Value(added, typ, passes, fixes))
    return tuple(found.values())


def _passes(token: SampleToken, side: JudgedSide, checks: tuple[PolicyCheck, ...]) -> bool:
    def check() -> None:
        identity = identity_of(token, side.issuer)
        for each in checks:
            each(identity, side.policy, NOW)

    return is_admitted(check)


def _as_set(value: object) -> frozenset[Any]:
    return frozenset() if value is None else frozenset(value if isinstance(value, list) else [value])
