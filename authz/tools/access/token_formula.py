"""The tokens with one `iss` that policies admit, as formulas over the properties of the token.

Variables: which value each dimension has, which values each claim contains, which scopes the token carries, and the
userinfo response. Where two readings of a claim are not tied to each other, the formula has more tokens than exist,
never fewer: a claim read twice can make a result undecided and cannot hide a token.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from authz.core.claims import ClaimName
from authz.core.conditions import Conditions, Membership
from authz.core.issuers import Issuer
from authz.core.userinfo import UserinfoMode
from authz.tools.access.decision_diagram import FALSE, TRUE, Diagram
from authz.tools.access.sample_token import SampleToken
from authz.tools.access.token_dimensions import JudgedSide, Value, dimensions, put, usual_claims

_ALWAYS_TEXT = ("iss", "sub", "jti", "origin_jti")

Holds = Callable[[Any], int]
"""The node that is true if a set contains the value."""


class TokenFormula:
    """The formulas of two sides over one diagram. Raises DiagramTooLarge."""

    def __init__(self, iss: str, sides: tuple[JudgedSide, ...]) -> None:
        self._sides = sides
        self._issuer = sides[0].issuer
        self._base = usual_claims(iss, self._issuer)
        self._diagram = Diagram()
        self._costs: dict[Hashable, int] = {}
        self._claims: dict[tuple[bool, tuple[str, ...]], dict[Any, Hashable]] = {}
        self._dimensions = dimensions(self._base, sides, self._named_values())
        passes, fixed = self._dimension_nodes()
        self._answered = self._diagram.variable("answered")
        self._refused = self._diagram.variable("refused")
        self._costs["answered"] = 0
        self.admitted = tuple(
            self._diagram.all_of((passes[number], self._claims_of(side))) for number, side in enumerate(sides)
        )
        self.possible = self._diagram.all_of((fixed, *self._typing(), *map(self._tie, self._fixes())))

    def models(self, wanted: int, refused: int | None, limit: int) -> Iterable[SampleToken]:
        """Up to `limit` tokens that side `wanted` admits and side `refused` refuses, the simplest first."""
        diagram = self._diagram
        node = diagram.all_of((self.possible, self.admitted[wanted]))
        if refused is not None:
            node = diagram.all_of((node, diagram.negate(self.admitted[refused])))
        for _ in range(limit):
            model = diagram.least_model(node, self._costs)
            if model is None:
                return
            yield self._token(model)
            same = diagram.all_of(
                diagram.variable(name) if name in model else diagram.negate(diagram.variable(name))
                for name in reversed(diagram.names)
            )
            node = diagram.all_of((node, diagram.negate(same)))

    def _dimension_nodes(self) -> tuple[list[int], int]:
        """For each side, whether every dimension passes; and that each dimension has exactly one value."""
        diagram = self._diagram
        passes, fixed = [TRUE] * len(self._sides), TRUE
        for number, values in enumerate(self._dimensions):
            if not values:
                # Nothing passes, unless the dimension is not checked at all.
                if number != _SIGN_INS or any(side.policy.max_age_seconds is not None for side in self._sides):
                    passes = [FALSE] * len(self._sides)
                continue
            nodes = [diagram.variable(("value", number, each)) for each in range(len(values))]
            self._costs.update({("value", number, each): 2 * each for each in range(len(values))})
            fixed = diagram.all_of((fixed, diagram.at_most_one(nodes), diagram.any_of(nodes)))
            for side in range(len(self._sides)):
                good = diagram.any_of(node for node, value in zip(nodes, values, strict=True) if value.passes[side])
                passes[side] = diagram.all_of((passes[side], good))
        return passes, fixed

    def _claims_of(self, side: JudgedSide) -> int:
        """What the policy demands of groups, claims, acr, scopes and the userinfo response."""
        diagram, policy = self._diagram, side.policy
        parts = [self._conditions(policy.conditions, side.issuer, with_userinfo=policy.userinfo is not None)]
        if policy.userinfo is not None:
            parts.append(diagram.negate(self._refused))
        if policy.userinfo is UserinfoMode.REQUIRED:
            parts.append(self._answered)
        if policy.acr:
            name = ClaimName.parse("acr")
            values = [self._has(name, each) for each in sorted(policy.acr)]
            # A list of values is no acr, but a list with one value would pass a condition on the claim `acr`.
            parts += [diagram.any_of(values), diagram.variable("acr is text")]
            self._costs["acr is text"] = 0
        if policy.scopes is not None:
            parts.append(self._membership(policy.scopes, lambda scope: self._holds_scope(scope, side.issuer)))
        return diagram.all_of(parts)

    def _conditions(self, conditions: Conditions, issuer: Issuer, *, with_userinfo: bool) -> int:
        diagram = self._diagram
        parts = []
        if conditions.groups is not None:
            parts.append(self._groups(conditions.groups, issuer, with_userinfo=with_userinfo))
        for name, membership in conditions.claims:
            met = self._membership(membership, lambda value, name=name: self._has(name, value))  # type: ignore[misc]
            parts += [met, diagram.negate(self._odd(name))]
        return diagram.all_of(parts)

    def _groups(self, membership: Membership, issuer: Issuer, *, with_userinfo: bool) -> int:
        diagram, name = self._diagram, issuer.groups_claim
        if name is None:
            return TRUE if membership.met_by(frozenset()) else FALSE
        of_token = self._groups_in(membership, name)
        if not with_userinfo:
            return of_token
        of_answer = self._groups_in(membership, ClaimName(name.text, name.tokens, is_from_userinfo=True))
        replaced = diagram.all_of((self._answered, diagram.variable("answer has groups")))
        return diagram.choose(replaced, of_answer, of_token)

    def _groups_in(self, membership: Membership, name: ClaimName) -> int:
        usable = self._diagram.negate(self._diagram.variable(("no groups", name.is_from_userinfo)))
        met = self._membership(membership, lambda value: self._has(name, value))
        return self._diagram.all_of((usable, met))

    def _holds_scope(self, scope: str, issuer: Issuer) -> int:
        granting = [grant for grant in issuer.grants if scope in grant.scopes]
        granted = [self._conditions(grant.when, issuer, with_userinfo=False) for grant in granting]
        carried = [self._diagram.variable(("scope", scope))] if issuer.scope_claims else []
        return self._diagram.any_of((*carried, *granted))

    def _membership(self, membership: Membership, holds: Holds) -> int:
        diagram = self._diagram
        parts = [holds(each) for each in _sorted(membership.all_of)]
        if membership.any_of:
            parts.append(diagram.any_of([holds(each) for each in _sorted(membership.any_of)]))
        parts += [diagram.negate(holds(each)) for each in _sorted(membership.none_of)]
        return diagram.all_of(parts)

    def _has(self, name: ClaimName, value: Any) -> int:
        key = ("has", name.is_from_userinfo, name.tokens, _kind(value), value)
        self._claims.setdefault((name.is_from_userinfo, name.tokens), {})[(_kind(value), value)] = key
        node = self._diagram.variable(key)
        return self._diagram.all_of((self._answered, node)) if name.is_from_userinfo else node

    def _odd(self, name: ClaimName) -> int:
        """Whether the claim contains a value that cannot be compared."""
        self._claims.setdefault((name.is_from_userinfo, name.tokens), {})
        node = self._diagram.variable(("odd", name.is_from_userinfo, name.tokens))
        return self._diagram.all_of((self._answered, node)) if name.is_from_userinfo else node

    def _named_values(self) -> Mapping[str, frozenset[Any]]:
        """The values that conditions name, by top-level claim of the token."""
        found: dict[str, frozenset[Any]] = {}
        for side in self._sides:
            for conditions in (side.policy.conditions, *(grant.when for grant in side.issuer.grants)):
                for name, membership in conditions.claims:
                    if len(name.tokens) == 1 and not name.is_from_userinfo:
                        values = membership.all_of | membership.any_of | membership.none_of
                        found[name.tokens[0]] = found.get(name.tokens[0], frozenset()) | values
        return found

    def _typing(self) -> list[int]:
        """What every token of the issuer keeps: types of claims, and one reading of the groups claim."""
        diagram, issuer = self._diagram, self._issuer
        always_text: set[tuple[str, ...]] = {(each,) for each in (*_ALWAYS_TEXT, *issuer.profile.typed_claims)}
        always_text.discard(("auth_time",))
        always_text |= {name.tokens for name in issuer.profile.required_claims}
        parts = [diagram.negate(diagram.all_of((self._answered, self._refused)))]
        for (from_userinfo, tokens), values in self._claims.items():
            nodes = {each: diagram.variable(key) for each, key in values.items()}
            numbers = [node for (kind, _value), node in nodes.items() if kind != "str"]
            odd = diagram.variable(("odd", from_userinfo, tokens))
            if not from_userinfo and tokens in always_text:
                parts += [diagram.at_most_one(list(nodes.values())), *map(diagram.negate, (odd, *numbers))]
            if not from_userinfo and tokens in {("iss",), ("tid",)} and tokens[0] in self._base:
                for (_kind_of, value), node in nodes.items():
                    is_it = value == self._base[tokens[0]]
                    if tokens == ("iss",) or issuer.templates:
                        parts.append(node if is_it else diagram.negate(node))
            if not from_userinfo and tokens == ("acr",):
                text = diagram.variable("acr is text")
                clean = diagram.all_of(
                    (diagram.at_most_one(list(nodes.values())), *map(diagram.negate, (odd, *numbers)))
                )
                parts.append(diagram.choose(text, clean, TRUE))
            if issuer.groups_claim is not None and tokens == issuer.groups_claim.tokens:
                unusable = diagram.variable(("no groups", from_userinfo))
                wrong = [*numbers, odd] if issuer.profile.groups_are_a_list else numbers
                parts.append(diagram.choose(diagram.any_of(wrong), unusable, TRUE))
        return parts

    def _fixes(self) -> list[tuple[Hashable, Value]]:
        return [
            (("value", number, each), value)
            for number, values in enumerate(self._dimensions)
            for each, value in enumerate(values)
            if value.fixes
        ]

    def _tie(self, fix: tuple[Hashable, Value]) -> int:
        """If the dimension has this value, conditions on its claims see exactly its values."""
        diagram = self._diagram
        parts = []
        for name, held in fix[1].fixes:
            for (_kind_of, value), key in self._claims.get((False, (name,)), {}).items():
                node = diagram.variable(key)
                parts.append(node if value in held else diagram.negate(node))
            parts.append(diagram.negate(diagram.variable(("odd", False, (name,)))))
        return diagram.choose(diagram.variable(fix[0]), diagram.all_of(parts), TRUE)

    def _token(self, model: frozenset[Hashable]) -> SampleToken:
        """A token with the properties of a model."""
        issuer = self._issuer
        claims, typ = dict(self._base), "jwt"
        answer: dict[str, Any] = {"sub": claims["sub"]}
        fixed: set[tuple[str, ...]] = {("iss",)}
        for number, values in enumerate(self._dimensions):
            for each, value in enumerate(values):
                if ("value", number, each) in model:
                    claims.update(value.claims)
                    typ = value.type if value.type != "jwt" else typ
                    fixed |= {(name,) for name, _held in value.fixes}
        groups = issuer.groups_claim
        for (from_userinfo, tokens), named in self._claims.items():
            if not from_userinfo and tokens in fixed:
                continue
            held: list[Any] = [value for (_kind_of, value), key in named.items() if key in model]
            held = [value[1] if isinstance(value, tuple) else value for value in held]
            is_groups = groups is not None and tokens == groups.tokens
            value_of: Any = held if len(held) != 1 or is_groups else held[0]
            if is_groups and ("no groups", from_userinfo) in model:
                value_of = [*held, 1]
            if ("odd", from_userinfo, tokens) in model:
                value_of = (
                    [*held, {}] if not is_groups or ("no groups", from_userinfo) in model else dict.fromkeys(held, 1)
                )
            if value_of != [] or (from_userinfo and is_groups and "answer has groups" in model):
                put(answer if from_userinfo else claims, ClaimName("", tokens), value_of)
        scopes = sorted(name[1] for name in model if isinstance(name, tuple) and name[0] == "scope")
        if scopes and issuer.scope_claims:
            claims[issuer.scope_claims[0]] = " ".join(scopes)
        kept = {name: value for name, value in claims.items() if value is not None}
        has_answer = "answered" in model and any(side.policy.userinfo is not None for side in self._sides)
        return SampleToken(kept, typ, answer if has_answer else None, userinfo_refuses="refused" in model)


_SIGN_INS = 3
"""The position of the sign-in among the dimensions."""


def _kind(value: Any) -> str:
    """Text and numbers are different values; `1` and `1.0` are one."""
    return "str" if isinstance(value, str) else "boolean" if isinstance(value, tuple) else "number"


def _sorted(values: Iterable[Any]) -> list[Any]:
    return sorted(values, key=lambda value: (_kind(value), str(value)))
