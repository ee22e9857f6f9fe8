"""A policy as operators write it: under `policies`, in a route's context extensions, or a grant's `when`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from authz.core.claims import ClaimName, is_scope
from authz.core.conditions import Conditions, Membership, Scalar, scalar
from authz.core.mapping_reader import MappingReader, describe, listed
from authz.core.policy import BUILT_IN, Access, Policy, TokenUse
from authz.core.problems import ConfigurationError, Problem
from authz.core.userinfo import UserinfoMode

MAX_AGE_LIMIT_SECONDS = 10 * 365 * 86_400.0
"""A bound for `max_age`: past ten years it is a typo."""

INLINE = "inline"
"""The name of a policy written in place that gives itself none."""

NAME_SHAPE = "letters, digits, `.`, `_` and `-`, at most 64, starting with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = ("all_of", "any_of", "none_of")


@dataclass(frozen=True, slots=True)
class References:
    """What a policy may refer to."""

    issuers: frozenset[str]
    """Aliases of the configured issuers."""
    policies: Mapping[str, Policy] = field(default_factory=lambda: BUILT_IN)
    """Policies by name, those that can be a candidate among them."""
    with_userinfo: frozenset[str] = frozenset()
    """Aliases of the issuers whose userinfo endpoint is known."""


def is_name(text: str) -> bool:
    """Whether the text can name an issuer or a policy: short, and safe as a metric label and in a log."""
    return _NAME.fullmatch(text) is not None


def read_inline(value: object, known: References) -> Policy:
    """A policy written in place of a name. Its optional `name` is the metric label. Raises ConfigurationError."""
    found: list[Problem] = []
    section = MappingReader(value, (), found)
    name = section.text("name", INLINE)
    if not is_name(name) or name in BUILT_IN:
        section.wrong(("name",), f"{name!r:.60} cannot be a policy's name", f"Names are {NAME_SHAPE}.")
    policy = read_policy(section, name, known)
    if found:
        raise ConfigurationError(tuple(found))
    return policy


def read_policy(section: MappingReader, name: str, known: References) -> Policy:
    """One policy; its mistakes go to the section's list."""
    accepted = section.texts("issuers")
    for alias in sorted(accepted - known.issuers):
        configured = listed(tuple(sorted(known.issuers))) or "none"
        section.wrong(("issuers",), f"no issuer is called {alias!r:.60}", f"Configured issuers: {configured}.")
    conditions = read_conditions(section)
    userinfo = _userinfo(section, known, accepted or known.issuers)
    if userinfo is None:
        refuse_userinfo(section, conditions, "the policy does not ask userinfo", "Write `userinfo: true` in it.")
    policy = Policy(
        name=name,
        issuers=accepted if "issuers" in section else None,
        token_use=cast("TokenUse", section.one_of("token_use", ("access", "id", "any"), "default")),
        scopes=_membership(section, "scopes", _as_scope),
        conditions=conditions,
        max_age_seconds=section.seconds("max_age", 0, 1, MAX_AGE_LIMIT_SECONDS) if "max_age" in section else None,
        optional=section.flag("optional"),
        userinfo=userinfo,
        candidate=_candidate(section, known.policies, userinfo),
    )
    section.finish()
    return policy


def can_be_candidate(policy: Policy) -> bool:
    """Whether the policy can be judged beside another: it judges tokens, and has no candidate itself."""
    return policy.access is Access.TOKEN and policy.candidate is None


def _candidate(section: MappingReader, policies: Mapping[str, Policy], userinfo: UserinfoMode | None) -> Policy | None:
    """The policy that `candidate` names. Policies with a candidate are read after all others, so none names itself."""
    if "candidate" not in section:
        return None
    name = section.text("candidate")
    policy = policies.get(name)
    if policy is not None and can_be_candidate(policy):
        if policy.userinfo is not userinfo:
            fix = "Write the same `userinfo` in both, or in neither."
            section.wrong(("candidate",), "a candidate is judged by the answer that its policy asks for", fix)
        return policy
    if name:
        possible = listed(tuple(other for other in policies if can_be_candidate(policies[other])))
        fix = f"Name another policy, one without a candidate of its own: {possible}."
        section.wrong(("candidate",), f"{name!r:.60} cannot be the candidate", fix)
    return None


def _userinfo(section: MappingReader, known: References, issuers: frozenset[str]) -> UserinfoMode | None:
    """`true`, or a mapping that says what becomes of a request when there is no answer."""
    value = section.raw("userinfo")
    if "userinfo" not in section or value is False:
        return None
    unknown = sorted((issuers & known.issuers) - known.with_userinfo)
    if unknown:
        fix = "Write `userinfo_uri` there, or name other issuers in the policy's `issuers`."
        section.wrong(("userinfo",), f"the userinfo endpoint is not known of issuer {listed(tuple(unknown))}", fix)
    if not isinstance(value, dict):
        if value is not True:
            fix = "Write `userinfo: true`, or `userinfo: { required: false }`."
            section.wrong(("userinfo",), f"true or a mapping is needed, not {describe(value)}", fix)
        return UserinfoMode.REQUIRED
    details = section.section("userinfo")
    if "required" not in details:
        details.wrong((), "required is missing", "Write `required: false`, or `userinfo: true`.")
    is_required = details.flag("required")
    details.finish()
    return UserinfoMode.REQUIRED if is_required else UserinfoMode.OPTIONAL


def refuse_userinfo(section: MappingReader, conditions: Conditions, problem: str, fix: str) -> None:
    """Report conditions on claims from the userinfo endpoint, where it is not asked."""
    for name, _membership in conditions.claims:
        if name.is_from_userinfo:
            section.wrong(("claims", name.text), problem, fix, on_key=True)


def read_conditions(section: MappingReader) -> Conditions:
    """The fields `groups` and `claims`."""
    claims = section.section("claims") if "claims" in section else None
    return Conditions(
        groups=_membership(section, "groups", _as_text),
        claims=tuple(_claims(claims)) if claims is not None else (),
    )


def _claims(section: MappingReader) -> list[tuple[ClaimName, Membership]]:
    demands = []
    if not section.names:
        section.wrong((), "the mapping is empty", "Name at least one claim, or leave `claims` out.")
    for text in section.names:
        try:
            name = ClaimName.parse(text)
        except ValueError as error:
            section.wrong((text,), str(error), "Write a claim's name, or a JSON Pointer such as `/a/b`.", on_key=True)
            continue
        demands.append((name, _demand(section, text, _as_scalar, bare="any_of")))
    return demands


Convert = Callable[[object], Scalar | None]


def _as_text(value: object) -> Scalar | None:
    return value if isinstance(value, str) and value else None


def _as_scope(value: object) -> Scalar | None:
    return value if isinstance(value, str) and is_scope(value) else None


def _as_scalar(value: object) -> Scalar | None:
    return scalar(value)


def _membership(section: MappingReader, name: str, convert: Convert) -> Membership | None:
    """The demand of a field, None where the field is missing."""
    return _demand(section, name, convert, bare="all_of") if name in section else None


def _demand(section: MappingReader, name: str, convert: Convert, *, bare: str) -> Membership:
    """A demand: a value or a list (meaning `bare`), or a mapping of all_of, any_of, none_of."""
    value = section.raw(name)
    if not isinstance(value, dict):
        return Membership(**{bare: _set(section, name, value, convert)})
    parts = section.section(name)
    if not value:
        parts.wrong((), "the mapping is empty", f"Write one or more of {listed(_PARTS)}.")
    membership = Membership(**{part: _set(parts, part, parts.raw(part), convert) for part in _PARTS if part in parts})
    parts.finish(also=_PARTS)
    return membership


def _set(section: MappingReader, name: str, value: object, convert: Convert) -> frozenset[Any]:
    wanted = []
    for item in section.items(name, value):
        converted = convert(item)
        if converted is None:
            fix = "Write one scope per entry, without spaces." if convert is _as_scope else "Write a plain value."
            section.wrong((name,), f"{describe(item)} cannot be compared here", fix)
        else:
            wanted.append(converted)
    return frozenset(wanted)
