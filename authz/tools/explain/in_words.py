"""What each step looks at, and what it holds it against, in words. A signature is never shown, nor a whole token."""

from __future__ import annotations

from authz.core import policy
from authz.core.policy import Access
from authz.core.revocations import KINDS
from authz.tools.explain.evidence import Evidence
from authz.tools.explain.wording import demand, listed, moment, quoted, span


def policy_in_words(evidence: Evidence) -> str:
    """The text that the route names, as it is where it is short."""
    text = evidence.request.policy
    return text if len(text) <= 60 and text.isprintable() and text else quoted(text)  # noqa: PLR2004 - one line


def policy_rule(evidence: Evidence) -> str:
    """Which texts would do; where the policy was found, that it must not be closed."""
    names = ", ".join(evidence.rules.configuration.policies)
    return "not deny" if hasattr(evidence, "policy") else f"one of {names}, or a policy written in place"


def credentials_in_words(evidence: Evidence) -> str:
    """Scheme and length of what was sent, never the credential."""
    values = evidence.request.authorization
    if not values:
        return "no Authorization header"
    if len(values) > 1:
        return f"{len(values)} Authorization headers"
    scheme = values[0].partition(" ")[0] if isinstance(values[0], str) else "bytes that are not UTF-8"
    shown = scheme if scheme.isalpha() and len(scheme) <= 16 else "Authorization"  # noqa: PLR2004 - a scheme's name
    return f"{shown} …, {len(values[0])} characters"


def credentials_rule(evidence: Evidence) -> str:
    """How many tokens the policy wants."""
    if evidence.policy.access is Access.OPEN:
        return "public: no token is looked at"
    return "one Bearer token, or none at all" if evidence.policy.optional else "one Bearer token"


def structure_in_words(evidence: Evidence) -> str:
    """The header parameters that are read, or the outline of what is no token."""
    if not hasattr(evidence, "unverified"):
        return f"{evidence.credential.count('.') + 1} segments, {len(evidence.credential)} characters"
    header = evidence.unverified.header
    typ = f", typ {quoted(header.type)}" if header.type else ""
    return f"alg {quoted(header.algorithm)}, kid {quoted(header.key_id)}{typ}"


def issuer_rule(evidence: Evidence) -> str:
    """The alias, or every name that would do."""
    if hasattr(evidence, "issuer"):
        return f"that of {evidence.issuer.alias}"
    names = [name for issuer in evidence.rules.configuration.issuers.by_alias.values() for name in issuer.identifiers]
    return f"exactly one of {listed(names)}"


def accepted_rule(evidence: Evidence) -> str:
    """The issuers of the policy."""
    accepted = evidence.policy.issuers
    return "every configured issuer" if accepted is None else f"the policy accepts {listed(accepted)}"


def key_rule(evidence: Evidence) -> str:
    """The key ids that the issuer publishes."""
    current = evidence.rules.keys.current(evidence.issuer.alias)
    if current is None:
        return f"no usable key set of {evidence.issuer.alias}"
    return f"keys of {evidence.issuer.alias}: {listed(current.keys)}"


def identity_in_words(evidence: Evidence) -> str:
    """The subject."""
    claims = evidence.claims
    return f"sub {quoted(claims['sub'])}" if "sub" in claims else "no sub"


def time_in_words(evidence: Evidence) -> str:
    """The times in the token, and how far its end is."""
    claims = evidence.identity.claims
    past = evidence.now - claims["exp"]
    shown = [f"exp {moment(claims['exp'])} ({span(past)} {'ago' if past > 0 else 'left'})"]
    shown += [f"{name} {moment(claims[name])}" for name in ("nbf", "iat") if name in claims]
    return ", ".join(shown)


def time_rule(evidence: Evidence) -> str:
    """The time of the check and the leeway."""
    return f"now {moment(evidence.now)}, leeway {span(evidence.identity.issuer.leeway_seconds)}"


def use_rule(evidence: Evidence) -> str:
    """The use that the policy takes from this issuer."""
    wanted = policy.wanted_use(evidence.policy, evidence.identity.issuer)
    return "access, id or a token that does not say" if wanted == "any" else wanted


def audience_in_words(evidence: Evidence) -> str:
    """Whom the token is for."""
    claims = evidence.identity.claims
    shown = [f"{name} {quoted(claims[name])}" for name in ("aud", "client_id") if name in claims]
    return ", ".join(shown) or "neither aud nor client_id"


def audience_rule(evidence: Evidence) -> str:
    """The operator's lists."""
    issuer, parts = evidence.identity.issuer, []
    if issuer.profile.audience_is_client_id:
        parts.append("client_ids: " + ("any" if issuer.client_ids is None else listed(issuer.client_ids)))
    if issuer.audiences or not issuer.profile.audience_is_client_id:
        parts.append("audiences: " + ("any" if issuer.audiences is None else listed(issuer.audiences)))
    return "; ".join(parts)


def age_in_words(evidence: Evidence) -> str:
    """When the person signed in, else when the token was issued."""
    claims = evidence.identity.claims
    name = "auth_time" if "auth_time" in claims else "iat"
    if name not in claims:
        return "neither auth_time nor iat"
    age = evidence.now - claims[name]
    return f"{name} {moment(claims[name])} ({span(age)} {'ago' if age >= 0 else 'ahead'})"


def age_rule(evidence: Evidence) -> str:
    """The longest time since then."""
    limit = evidence.policy.max_age_seconds
    return "no max_age" if limit is None else f"max_age {span(limit)}"


def conditions_in_words(evidence: Evidence) -> str:
    """Groups and the claims that the policy names."""
    identity, wanted = evidence.identity, evidence.policy.conditions
    groups = "not a list of strings" if identity.groups is None else listed(identity.groups)
    shown = [f"groups {groups}"] if wanted.groups is not None or identity.groups else []
    for name, _membership in wanted.claims:
        present, value = name.find(identity.userinfo if name.is_from_userinfo else identity.claims)
        shown.append(f"{name.text} {quoted(value)}" if present else f"no {name.text}")
    return ", ".join(shown) or "no groups"


def scopes_in_words(evidence: Evidence) -> str:
    """Granted scopes, and which of them grants gave."""
    carried = frozenset(str(evidence.identity.claims.get("scope", "")).split(" "))
    granted = evidence.identity.scopes - carried
    given = f" (by grants: {listed(granted)})" if granted else ""
    return listed(evidence.identity.scopes) + given


def scopes_rule(evidence: Evidence) -> str:
    """The scopes that the policy demands."""
    scopes = evidence.policy.scopes
    return "no scope demanded" if scopes is None else demand(scopes)


def revocable_in_words(evidence: Evidence) -> str:
    """What a list could name the token by."""
    claims = evidence.identity.claims
    return ", ".join(f"{kind} {quoted(claims[kind])}" for kind in KINDS if kind in claims) or "nothing to list it by"


def revocations_rule(evidence: Evidence) -> str:
    """The list, by its length."""
    revocations = evidence.rules.revocations.current
    return "no revocation list" if revocations is None else f"not on the list of {len(revocations)}"


def told_in_words(evidence: Evidence) -> str:
    """The claims that the issuer told, by name only."""
    return f"tells {listed(frozenset(evidence.identity.userinfo))}" if evidence.identity.userinfo else "no answer"


def userinfo_rule(evidence: Evidence) -> str:
    """Whether the policy asks, and needs an answer."""
    asking = evidence.policy.userinfo
    return "not asked" if asking is None else f"an answer is {asking.value}"
