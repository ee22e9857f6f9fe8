"""How to let a refused request pass, as advice for the operator or the client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from authz.core.conditions import Conditions
from authz.core.decision import Decision
from authz.core.identity import Identity
from authz.core.policy import Policy, wanted_use
from authz.core.reasons import Reason
from authz.tools.explain.wording import conditions, demand, listed, moment, quoted, span

_TRAP = (
    "The token comes from the Cognito user pools API (InitiateAuth, AdminInitiateAuth, SRP): its only scope is "
    "aws.cognito.signin.user.admin, whatever the app client allows. Sign in through the hosted UI, whose tokens carry "
    "the requested scopes, or let the operator give the scope by a grant of the issuer, or by the pool's pre token "
    "generation trigger (V2_0 or V3_0)"
)


def advise(decision: Decision, now: float, further: Iterable[Reason] = ()) -> tuple[str, ...]:
    """Sentences, the simplest fix first. Empty if the request is forwarded.

    `further` are the reasons for which later checks would refuse the request.
    """
    if decision.reason.row.outcome == "allow":
        return ()
    reasons = dict.fromkeys((decision.reason, *further))
    return tuple(f"{each}." for reason in reasons for each in _advice(reason, decision, now) if each)


def _advice(reason: Reason, decision: Decision, now: float) -> list[str]:
    identity, policy = decision.identity, decision.policy
    if identity is not None and policy is not None and reason in _OF_IDENTITY:
        return _OF_IDENTITY[reason](identity, policy, now)
    return [_PLAIN[reason]]


def _time(identity: Identity, _policy: Policy, now: float) -> list[str]:
    ago = span(now - identity.expires_at)
    leeway = span(identity.issuer.leeway_seconds)
    return [f"Get a fresh token: this one expired {ago} ago, at {moment(identity.expires_at)}, and leeway is {leeway}"]


def _early(_identity: Identity, _policy: Policy, _now: float) -> list[str]:
    return ["Set the clocks: `nbf` or `iat` lies in the future of this machine's clock (or of --at)"]


def _use(identity: Identity, policy: Policy, _now: float) -> list[str]:
    wanted = wanted_use(policy, identity.issuer)
    if identity.use == "id":
        return [f"Send the access token: this is the ID token, which is for the client. The policy takes {wanted}"]
    return [f"Send a token whose use is {wanted}: this one's is {quoted(identity.use)}"]


def _audience(identity: Identity, _policy: Policy, _now: float) -> list[str]:
    issuer = identity.issuer
    name = "client_ids" if issuer.profile.audience_is_client_id else "audiences"
    accepted = issuer.client_ids if issuer.profile.audience_is_client_id else issuer.audiences
    if (
        issuer.profile.audience_is_client_id
        and "aud" in identity.claims
        and identity.claims.get("client_id") in (accepted or ())
    ):
        name, accepted = "audiences", issuer.audiences
    return [
        f"Ask {issuer.alias} for a token that is meant for one of: {listed(accepted or ())}",
        f"Or, where the token's is yours as well, add it to `{name}` of the issuer {issuer.alias}",
    ]


def _age(_identity: Identity, policy: Policy, _now: float) -> list[str]:
    return [f"Sign in again: the policy's max_age is {span(policy.max_age_seconds or 0)}, and a refresh does not count"]


def _acr(_identity: Identity, policy: Policy, _now: float) -> list[str]:
    return [f"Sign in again with `acr_values` {listed(policy.acr)}, for example with a second factor"]


def _conditions(identity: Identity, policy: Policy, _now: float) -> list[str]:
    return [
        f"Bring a token that meets {conditions(wanted)}: this one {_held(wanted, identity)}"
        for wanted in _each(policy.conditions)
        if wanted.unmet(identity.claims, identity.groups, identity.userinfo)
    ]


def _each(every: Conditions) -> list[Conditions]:
    """Every condition by itself."""
    groups = [] if every.groups is None else [Conditions(groups=every.groups)]
    return [*groups, *(Conditions(claims=(claim,)) for claim in every.claims)]


def _held(wanted: Conditions, identity: Identity) -> str:
    """What the token has instead, in the words of the one condition: its groups, or the claim."""
    if wanted.groups is not None:
        readable = identity.groups is not None
        return f"is in groups {listed(identity.groups or ())}" if readable else "has groups that cannot be read"
    ((name, _membership),) = wanted.claims
    present, value = name.find(identity.userinfo if name.is_from_userinfo else identity.claims)
    return f"has {name.text} {quoted(value)}" if present else f"has no {name.text}"


def _scopes(identity: Identity, policy: Policy, _now: float) -> list[str]:
    if policy.scopes is None:
        return []
    missing = policy.scopes.all_of - identity.scopes
    choices = policy.scopes.any_of if policy.scopes.any_of.isdisjoint(identity.scopes) else frozenset()
    unwanted = policy.scopes.none_of & identity.scopes
    is_trapped = identity.is_from_user_pools_api
    lacking = [f"{lacks}: {listed(scopes)}" for lacks, scopes in (("all of", missing), ("one of", choices)) if scopes]
    return [
        _TRAP if is_trapped else "",
        f"Ask {identity.issuer.alias} for {', and '.join(lacking)}" if lacking and not is_trapped else "",
        f"Ask for a token without {listed(unwanted)}: the policy has {demand(policy.scopes)}" if unwanted else "",
        *_grants(identity, missing | choices),
    ]


def _grants(identity: Identity, missing: frozenset[object]) -> list[str]:
    helpful = [grant for grant in identity.issuer.grants if grant.scopes & missing]
    ways = [f"A grant gives {listed(grant.scopes & missing)} to {conditions(grant.when)}" for grant in helpful]
    if missing and not ways:
        ways = [f"No grant of {identity.issuer.alias} gives {listed(missing)}: the operator can add one"]
    return ways


_OF_IDENTITY: Mapping[Reason, Callable[[Identity, Policy, float], list[str]]] = {
    Reason.TOKEN_EXPIRED: _time,
    Reason.TOKEN_NOT_YET_VALID: _early,
    Reason.TOKEN_USE_MISMATCH: _use,
    Reason.AUDIENCE_MISMATCH: _audience,
    Reason.TOKEN_TOO_OLD: _age,
    Reason.ACR_INSUFFICIENT: _acr,
    Reason.CLAIM_MISMATCH: _conditions,
    Reason.SCOPE_INSUFFICIENT: _scopes,
}

_PLAIN: Mapping[Reason, str] = {
    Reason.OVERLOADED: "Add an endpoint to the ext_authz cluster",
    Reason.REQUEST_MALFORMED: "Send one Authorization header with `Bearer`, one space and the token, and nothing else",
    Reason.POLICY_MISSING: "Name a policy in the route's context_extensions, or `deny` on the virtual host",
    Reason.POLICY_INVALID: "Fix the policy that the route names: see the detail above",
    Reason.DENIED: "Nothing a client does: give the route another policy than `deny`",
    Reason.TOKEN_MISSING: "Send `Authorization: Bearer TOKEN`",
    Reason.TOKEN_MALFORMED: "Send the access token as the issuer gave it, whole and unchanged: see the detail above",
    Reason.ISSUER_UNKNOWN: "Bring a token of a configured issuer, or add this one under `issuers`: the comparison is "
    "exact, down to a slash at the end",
    Reason.ISSUER_NOT_ACCEPTED: "Bring a token of an issuer that the policy accepts, or add this one to its `issuers`",
    Reason.ALGORITHM_NOT_ALLOWED: "Have the issuer sign with one of its configured `algorithms`, or add this one there",
    Reason.KEYS_UNAVAILABLE: "See that the issuer's JWKS can be fetched from here, or give one with --jwks FILE",
    Reason.KEY_UNKNOWN: "Get a fresh token: its key is no longer, or not yet, among those that the issuer publishes",
    Reason.TOKEN_BOUND: "Request a token without DPoP or a client certificate, or set `ignore_confirmation: true` for "
    "the issuer: any holder of a bound token can then use it",
    Reason.SIGNATURE_INVALID: "Bring an unchanged token: these bytes are not what the issuer's key signed. "
    "With --jwks, see that the file is this issuer's",
    Reason.TOKEN_REVOKED: "Sign in again: the token is on the revocation list, or its issuer's userinfo endpoint "
    "refused it. Cognito's refuses tokens without the scope `openid`",
    Reason.USERINFO_UNAVAILABLE: "See that the issuer's userinfo endpoint answers from here, without --jwks, or write "
    "`userinfo: { required: false }`",
    Reason.REVOCATIONS_UNAVAILABLE: "Put the revocation list where `revocations_file` says: until then every token is "
    "refused",
    Reason.INTERNAL_ERROR: "Report it: the sidecar failed to decide",
}
