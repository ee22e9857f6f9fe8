"""Describe the input and the rule of each step in words. Signatures and whole tokens are never shown."""

from __future__ import annotations

from authz.core import policy
from authz.core.policy import Access
from authz.core.revocations import KINDS
from authz.tools.explain.recorded_check import RecordedCheck
from authz.tools.explain.wording import MAX_SHOWN, demand, listed, moment, quoted, span


def policy_in_words(seen: RecordedCheck) -> str:
    """The text that the route names, shortened if it is long."""
    text = seen.request.policy
    return text if len(text) <= 60 and text.isprintable() and text else quoted(text)  # noqa: PLR2004 - one line


def policy_rule(seen: RecordedCheck) -> str:
    """The accepted texts. If the policy was found, the rule that it must not be closed."""
    names = ", ".join(seen.rules.configuration.policies)
    return "not deny" if seen.record.policy is not None else f"one of {names}, or an inline policy"


def credentials_in_words(seen: RecordedCheck) -> str:
    """Scheme and length of the Authorization header, never the credential."""
    values = seen.request.authorization
    if not values:
        return "no Authorization header"
    if len(values) > 1:
        return f"{len(values)} Authorization headers"
    scheme = values[0].partition(" ")[0] if isinstance(values[0], str) else "bytes that are not UTF-8"
    shown = scheme if scheme.isalpha() and len(scheme) <= 16 else "Authorization"  # noqa: PLR2004 - a scheme's name
    return f"{shown} …, {len(values[0])} characters"


def credentials_rule(seen: RecordedCheck) -> str:
    """How many tokens the policy wants."""
    if seen.policy.access is Access.OPEN:
        return "public: no token is looked at"
    return "one Bearer token, or none at all" if seen.policy.optional else "one Bearer token"


def structure_in_words(seen: RecordedCheck) -> str:
    """The header parameters that are read, or the outline of a text that is no token."""
    if seen.record.unverified is None:
        return f"{seen.credential.count('.') + 1} segments, {len(seen.credential)} characters"
    header = seen.unverified.header
    typ = f", typ {quoted(header.type)}" if header.type else ""
    return f"alg {quoted(header.algorithm)}, {kid_in_words(header.key_id)}{typ}"


def kid_in_words(key_id: str) -> str:
    """The `kid` of a token."""
    return f"kid {quoted(key_id)}" if key_id else "no kid"


def issuer_rule(seen: RecordedCheck) -> str:
    """The alias, or every accepted issuer name."""
    if seen.record.issuer is not None:
        return f"that of {seen.issuer.alias}"
    names = [name for issuer in seen.rules.configuration.issuers.by_alias.values() for name in issuer.identifiers]
    return f"exactly one of {listed(names)}"


def accepted_rule(seen: RecordedCheck) -> str:
    """The issuers of the policy."""
    accepted = seen.policy.issuers
    return "every configured issuer" if accepted is None else f"the policy accepts {listed(accepted)}"


def key_rule(seen: RecordedCheck) -> str:
    """The key ids that the issuer publishes."""
    current = seen.rules.keys.current(seen.issuer.alias)
    if current is None:
        problem = seen.key_problem(seen.issuer.alias)
        return f"no usable key set of {seen.issuer.alias}" + (f": {problem}" if problem else "")
    dropped = "; ".join(f"{quoted(each.key_id)}: {each.why}" for each in current.dropped[:MAX_SHOWN])
    return f"keys of {seen.issuer.alias}: {listed(current.keys)}" + (f"; not used: {dropped}" if dropped else "")


def identity_in_words(seen: RecordedCheck) -> str:
    """The subject."""
    claims = seen.unverified.unverified_claims
    return f"sub {quoted(claims['sub'])}" if "sub" in claims else "no sub"


def time_in_words(seen: RecordedCheck) -> str:
    """The times in the token, and how far its end is."""
    claims = seen.identity.claims
    past = seen.now - claims["exp"]
    shown = [f"exp {moment(claims['exp'])} ({span(past)} {'ago' if past > 0 else 'left'})"]
    shown += [f"{name} {moment(claims[name])}" for name in ("nbf", "iat") if name in claims]
    return ", ".join(shown)


def time_rule(seen: RecordedCheck) -> str:
    """The time of the check and the leeway."""
    return f"now {moment(seen.now)}, leeway {span(seen.identity.issuer.leeway_seconds)}"


def use_rule(seen: RecordedCheck) -> str:
    """The use that the policy takes from this issuer."""
    wanted = policy.wanted_use(seen.policy, seen.identity.issuer)
    return "access, id or a token that does not say" if wanted == "any" else wanted


def audience_in_words(seen: RecordedCheck) -> str:
    """The audience of the token."""
    claims = seen.identity.claims
    shown = [f"{name} {quoted(claims[name])}" for name in ("aud", "client_id") if name in claims]
    return ", ".join(shown) or "neither aud nor client_id"


def audience_rule(seen: RecordedCheck) -> str:
    """The operator's lists."""
    issuer, parts = seen.identity.issuer, []
    if issuer.profile.audience_is_client_id:
        parts.append("client_ids: " + ("any" if issuer.client_ids is None else listed(issuer.client_ids)))
    if issuer.audiences or not issuer.profile.audience_is_client_id:
        parts.append("audiences: " + ("any" if issuer.audiences is None else listed(issuer.audiences)))
    return "; ".join(parts)


def age_in_words(seen: RecordedCheck) -> str:
    """When the person signed in, else when the token was issued."""
    claims = seen.identity.claims
    name = "auth_time" if "auth_time" in claims else "iat"
    if name not in claims:
        return "neither auth_time nor iat"
    age = seen.now - claims[name]
    return f"{name} {moment(claims[name])} ({span(age)} {'ago' if age >= 0 else 'ahead'})"


def age_rule(seen: RecordedCheck) -> str:
    """The longest time since then."""
    limit = seen.policy.max_age_seconds
    return "no max_age" if limit is None else f"max_age {span(limit)}"


def acr_in_words(seen: RecordedCheck) -> str:
    """The token's `acr`."""
    claims = seen.identity.claims
    return f"acr {quoted(claims['acr'])}" if "acr" in claims else "no acr"


def acr_rule(seen: RecordedCheck) -> str:
    """The accepted values."""
    return f"any of {listed(seen.policy.acr)}" if seen.policy.acr else "any"


def conditions_in_words(seen: RecordedCheck) -> str:
    """Groups and the claims that the policy names."""
    identity, wanted = seen.identity, seen.policy.conditions
    groups = "not a list of strings" if identity.groups is None else listed(identity.groups)
    shown = [f"groups {groups}"] if wanted.groups is not None or identity.groups else []
    for name, _membership in wanted.claims:
        present, value = name.find(identity.userinfo if name.is_from_userinfo else identity.claims)
        shown.append(f"{name.text} {quoted(value)}" if present else f"no {name.text}")
    return ", ".join(shown) or "no groups"


def scopes_in_words(seen: RecordedCheck) -> str:
    """Granted scopes, and which of them grants gave."""
    carried = frozenset(str(seen.identity.claims.get("scope", "")).split(" "))
    granted = seen.identity.scopes - carried
    given = f" (by grants: {listed(granted)})" if granted else ""
    return listed(seen.identity.scopes) + given


def scopes_rule(seen: RecordedCheck) -> str:
    """The scopes that the policy demands."""
    scopes = seen.policy.scopes
    return "no scope demanded" if scopes is None else demand(scopes)


def revocable_in_words(seen: RecordedCheck) -> str:
    """The values by which a revocation list can name the token."""
    claims = seen.identity.claims
    return ", ".join(f"{kind} {quoted(claims[kind])}" for kind in KINDS if kind in claims) or "nothing to list it by"


def revocations_rule(seen: RecordedCheck) -> str:
    """The list, by its length."""
    revocations = seen.rules.revocations.current
    return "no revocation list" if revocations is None else f"not on the list of {len(revocations)}"


def userinfo_in_words(seen: RecordedCheck) -> str:
    """The names of the userinfo claims."""
    return f"claims {listed(frozenset(seen.identity.userinfo))}" if seen.identity.userinfo else "no answer"


def userinfo_rule(seen: RecordedCheck) -> str:
    """Whether the policy asks, and needs an answer."""
    asking = seen.policy.userinfo
    return "not asked" if asking is None else f"an answer is {asking.value}"
