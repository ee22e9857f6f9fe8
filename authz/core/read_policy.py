"""Read a policy of the configuration, an inline policy of a route, or the conditions of a grant."""

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
"""The upper bound of `max_age`. More than ten years is a typo."""

INLINE = "inline"
"""The name of an inline policy without a `name`."""

ONE_SCOPE = "Write one scope per entry, without spaces."
NAME_SHAPE = "letters, digits, `.`, `_` and `-`, at most 64, starting with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTS = ("all_of", "any_of", "none_of")


@dataclass(frozen=True, slots=True)
class References:
    """The issuers and policies that a policy may refer to."""

    issuers: frozenset[str]
    """Aliases of the configured issuers."""
    policies: Mapping[str, Policy] = field(default_factory=lambda: BUILT_IN)
    """Policies by name. Some of them can be a candidate."""
    with_userinfo: frozenset[str] = frozenset()
    """Aliases of the issuers whose userinfo endpoint is known."""


def is_name(text: str) -> bool:
    """Whether the text is a valid name of an issuer or policy: short, and safe as a metric label and in a log."""
    return _NAME.fullmatch(text) is not None


def read_inline(value: object, known: References) -> Policy:
    """Read an inline policy. Its optional `name` is the metric label. Raises ConfigurationError."""
    problems: list[Problem] = []
    reader = MappingReader(value, (), problems)
    name = reader.text("name", INLINE)
    if not is_name(name) or name in BUILT_IN:
        reader.wrong(("name",), f"{name!r:.60} cannot be a policy's name", f"Names are {NAME_SHAPE}.")
    policy = read_policy(reader, name, known)
    if problems:
        raise ConfigurationError(tuple(problems))
    return policy


def read_policy(reader: MappingReader, name: str, known: References) -> Policy:
    """Read one policy. The reader collects the problems."""
    accepted = reader.texts("issuers")
    for alias in sorted(accepted - known.issuers):
        configured = listed(tuple(sorted(known.issuers))) or "none"
        reader.wrong(("issuers",), f"there is no issuer {alias!r:.60}", f"Configured issuers: {configured}.")
    conditions = read_conditions(reader)
    userinfo = _userinfo(reader, known, accepted or known.issuers)
    if userinfo is None:
        refuse_userinfo(reader, conditions, "the policy does not request userinfo", "Add `userinfo: true` to it.")
    if userinfo is UserinfoMode.OPTIONAL:
        _refuse_loosening(reader, conditions)
    policy = Policy(
        name=name,
        issuers=accepted if "issuers" in reader else None,
        token_use=cast("TokenUse", reader.one_of("token_use", ("access", "id", "any"), "default")),
        scopes=_membership(reader, "scopes", _as_scope),
        conditions=conditions,
        max_age_seconds=reader.seconds("max_age", 0, 1, MAX_AGE_LIMIT_SECONDS) if "max_age" in reader else None,
        acr=read_scopes(reader, "acr", "acr value", "Write one value per entry, without spaces."),
        optional=reader.flag("optional"),
        userinfo=userinfo,
        candidate=_candidate(reader, known.policies, userinfo),
    )
    reader.finish()
    return policy


def read_scopes(
    reader: MappingReader, field: str = "scopes", word: str = "scope", fix: str = ONE_SCOPE
) -> frozenset[str]:
    """Read scopes, or other values that become one space-separated list (RFC 6749 section 3.3). Empty if missing."""
    values = reader.texts(field)
    for value in sorted(values):
        if not is_scope(value):
            reader.wrong((field,), f"{value!r:.60} is not one {word}", fix)
    return values


def can_be_candidate(policy: Policy) -> bool:
    """Whether the policy can be a candidate: it reads tokens and has no candidate of its own."""
    return policy.access is Access.TOKEN and policy.candidate is None


def _candidate(reader: MappingReader, policies: Mapping[str, Policy], userinfo: UserinfoMode | None) -> Policy | None:
    """Return the policy that `candidate` names. All policies without a candidate are read first."""
    if "candidate" not in reader:
        return None
    name = reader.text("candidate")
    policy = policies.get(name)
    if policy is not None and can_be_candidate(policy):
        if policy.userinfo is not userinfo:
            fix = "Write the same `userinfo` in both, or in neither."
            reader.wrong(("candidate",), "the candidate and its policy differ in `userinfo`", fix)
        return policy
    if name:
        possible = listed(tuple(other for other in policies if can_be_candidate(policies[other])))
        fix = f"Name a policy that has no candidate: {possible}."
        reader.wrong(("candidate",), f"{name!r:.60} cannot be the candidate", fix)
    return None


def _userinfo(reader: MappingReader, known: References, issuers: frozenset[str]) -> UserinfoMode | None:
    """Read `userinfo`: `true`, or a mapping that says whether a missing response refuses the request."""
    value = reader.raw("userinfo")
    if "userinfo" not in reader or value is False:
        return None
    unknown = sorted((issuers & known.issuers) - known.with_userinfo)
    if unknown:
        fix = "Add `userinfo_uri` to the issuer, or list other issuers in the policy's `issuers`."
        reader.wrong(("userinfo",), f"no userinfo endpoint is known for issuer {listed(tuple(unknown))}", fix)
    if not isinstance(value, dict):
        if value is not True:
            fix = "Write `userinfo: true`, or `userinfo: { required: false }`."
            reader.wrong(("userinfo",), f"true or a mapping is needed, not {describe(value)}", fix)
        return UserinfoMode.REQUIRED
    details = reader.section("userinfo")
    if "required" not in details:
        details.wrong((), "required is missing", "Write `required: false`, or `userinfo: true`.")
    is_required = details.flag("required")
    details.finish()
    return UserinfoMode.REQUIRED if is_required else UserinfoMode.OPTIONAL


def refuse_userinfo(reader: MappingReader, conditions: Conditions, problem: str, fix: str) -> None:
    """Report conditions on userinfo claims if userinfo is not requested."""
    for name, _membership in conditions.claims:
        if name.is_from_userinfo:
            reader.wrong(("claims", name.text), problem, fix, on_key=True)


def _refuse_loosening(reader: MappingReader, conditions: Conditions) -> None:
    """Report conditions that a missing userinfo response could meet although a response would not meet them."""
    problem, fix = "a failed userinfo query would allow the request", "Write `userinfo: true`."
    if conditions.groups is not None:  # groups of the response replace those of the token
        reader.wrong(("groups",), problem, fix, on_key=True)
    for name, membership in conditions.claims:
        if name.is_from_userinfo and membership.met_by(frozenset()):
            reader.wrong(("claims", name.text), problem, fix, on_key=True)


def read_conditions(reader: MappingReader) -> Conditions:
    """Read the fields `groups` and `claims`."""
    claims = reader.section("claims") if "claims" in reader else None
    return Conditions(
        groups=_membership(reader, "groups", _as_text),
        claims=tuple(_claims(claims)) if claims is not None else (),
    )


def _claims(reader: MappingReader) -> list[tuple[ClaimName, Membership]]:
    demands = []
    if not reader.names:
        reader.wrong((), "the mapping is empty", "Name at least one claim, or leave `claims` out.")
    for text in reader.names:
        try:
            name = ClaimName.parse(text)
        except ValueError as error:
            reader.wrong((text,), str(error), "Write a claim's name, or a JSON Pointer such as `/a/b`.", on_key=True)
            continue
        demands.append((name, _demand(reader, text, _as_scalar, bare="any_of")))
    return demands


Convert = Callable[[object], Scalar | None]


def _as_text(value: object) -> Scalar | None:
    return value if isinstance(value, str) and value else None


def _as_scope(value: object) -> Scalar | None:
    return value if isinstance(value, str) and is_scope(value) else None


def _as_scalar(value: object) -> Scalar | None:
    return scalar(value)


def _membership(reader: MappingReader, name: str, convert: Convert) -> Membership | None:
    """Read the condition of a field, None if the field is missing."""
    return _demand(reader, name, convert, bare="all_of") if name in reader else None


def _demand(reader: MappingReader, name: str, convert: Convert, *, bare: str) -> Membership:
    """Read a condition: a value or a list (meaning `bare`), or a mapping of all_of, any_of, none_of."""
    value = reader.raw(name)
    if not isinstance(value, dict):
        return Membership(**{bare: _set(reader, name, value, convert)})
    parts = reader.section(name)
    if not value:
        parts.wrong((), "the mapping is empty", f"Write one or more of {listed(_PARTS)}.")
    membership = Membership(**{part: _set(parts, part, parts.raw(part), convert) for part in _PARTS if part in parts})
    parts.finish(also=_PARTS)
    return membership


def _set(reader: MappingReader, name: str, value: object, convert: Convert) -> frozenset[Any]:
    wanted = []
    for item in reader.items(name, value):
        converted = convert(item)
        if converted is None:
            fix = ONE_SCOPE if convert is _as_scope else "Write a plain value."
            reader.wrong((name,), f"{describe(item)} cannot be compared here", fix)
        else:
            wanted.append(converted)
    return frozenset(wanted)
