"""One issuer as operators write it, turned into an Issuer by its profile's row."""

from __future__ import annotations

from authz.core.claims import is_scope
from authz.core.exposure import Exposure, exposure_of_conditions, is_multi_tenant
from authz.core.issuers import Grant, Issuer, KeyLocation, UserinfoLocation
from authz.core.keyset import ALGORITHMS
from authz.core.mapping_reader import MappingReader, describe, listed
from authz.core.profiles import PROFILES, Profile, cognito_issuers
from authz.core.read_policy import read_conditions, refuse_userinfo
from authz.core.url import discovery_url, refusal

ANY = "any"
"""The word by which an operator leaves out a check on purpose."""

MAX_LEEWAY_SECONDS = 300.0
"""Clocks further apart than five minutes are broken, and so is what they would let in."""

MAX_REFRESH_SECONDS = 86_400.0
MAX_STALE_LIMIT_SECONDS = 7 * 86_400.0
"""A key set nobody could refresh for a week may hold keys that were revoked for cause."""


def read_issuer(section: MappingReader, alias: str) -> Issuer | None:
    """One issuer; its mistakes go to the section's list. None where not even its profile can be told."""
    profile = _profile(section)
    if profile is None:
        return None
    names = _names(section, profile)
    keys = _key_location(section, profile, names)
    issuer = Issuer(
        alias=alias,
        profile=profile,
        identifiers=frozenset(names),
        audiences=_audiences(section, profile),
        client_ids=_listed_or_any(section, "client_ids", required=True) if profile.audience_is_client_id else None,
        algorithms=_algorithms(section, profile),
        leeway_seconds=section.seconds("leeway", 10, 0, MAX_LEEWAY_SECONDS),
        keys=keys,
        grants=tuple(_grant(grant, profile) for grant in section.each("grants")),
        userinfo=_userinfo_location(section, keys) if not profile.is_workload else None,
    )
    if is_multi_tenant(issuer):
        _refuse_grants_to_strangers(section, issuer)
    section.finish()
    return issuer


def _require_fetchable(section: MappingReader, field: str, text: str) -> None:
    """Report a URL that the sources would refuse to fetch."""
    why = refusal(text) if text else ""
    if why:
        section.wrong((field,), f"{text!r:.200} cannot be fetched: {why}", "Write an https URL.")


def _profile(section: MappingReader) -> Profile | None:
    choices = tuple(PROFILES)
    if "profile" not in section:
        section.wrong((), "profile is missing", f"Write `profile:` with one of {listed(choices)}.")
    return PROFILES.get(section.one_of("profile", choices, ""))


def _names(section: MappingReader, profile: Profile) -> tuple[str, ...]:
    """The accepted values of `iss`, the one to derive addresses from first."""
    derived = _user_pool(section) if profile.name == "cognito" else ()
    written = section.items("issuer", section.raw("issuer")) if "issuer" in section else []
    for name in written:
        why = refusal(name) if isinstance(name, str) else "it is not a string"
        if isinstance(name, str) and "*" in name:
            section.wrong(("issuer",), "an issuer cannot have wildcards", "Write the exact `iss` of its tokens.")
        elif why:
            problem = f"{describe(name)} is not the URL of an issuer: {why}"
            section.wrong(("issuer",), problem, 'Write `issuer: "https://..."`.')
    names = tuple(name for name in written if isinstance(name, str)) or derived
    names = names or profile.issuers
    if not names and profile.name != "cognito":
        fix = profile.issuer_fix or 'Write `issuer: "https://..."`, exactly as `iss` in its tokens.'
        section.wrong((), "issuer is missing", fix)
    for name in names:
        if profile.issuer_shape is not None and profile.issuer_shape.fullmatch(name) is None:
            problem = f"{name!r:.200} is not the name of a {profile.name} issuer"
            section.wrong(("issuer",), problem, profile.issuer_fix)
    return names


def _user_pool(section: MappingReader) -> tuple[str, ...]:
    pool = section.text("user_pool_id")
    if not pool:
        if "user_pool_id" not in section and "issuer" not in section:
            section.wrong((), "user_pool_id is missing", "Write `user_pool_id: REGION_ID`, as the console shows it.")
        return ()
    try:
        return cognito_issuers(pool)
    except ValueError:
        fix = "Write it as the console shows it: `ap-northeast-1_AbCdEfGhI`."
        section.wrong(("user_pool_id",), f"{pool!r:.80} is not a user pool id", fix)
        return ()


def _listed_or_any(section: MappingReader, name: str, *, required: bool) -> frozenset[str] | None:
    """Exact values, or None for the word `any`. Leaving the field out is not the same as `any`."""
    if name not in section:
        if required:
            fix = f"List the accepted ones, or write `{name}: any` to accept all."
            section.wrong((), f"{name} is missing", fix)
        return frozenset()
    if section.raw(name) == ANY:
        return None
    values = section.texts(name)
    for value in sorted(values):
        if "*" in value or value == ANY:
            section.wrong((name,), f"{value!r:.60} stands in a list of exact values", f"Or write `{name}: any` alone.")
    return values


def _audiences(section: MappingReader, profile: Profile) -> frozenset[str] | None:
    audiences = _listed_or_any(section, "audiences", required=not profile.audience_is_client_id)
    if audiences is None and profile.is_workload:
        problem = f"{profile.name} tokens cannot be taken with any audience: one made for another service would count"
        section.wrong(("audiences",), problem, "List the audience that jobs ask for when they come here.")
    return audiences


def _algorithms(section: MappingReader, profile: Profile) -> frozenset[str]:
    if "algorithms" not in section:
        return profile.algorithms
    names = section.texts("algorithms")
    for name in sorted(names - set(ALGORITHMS)):
        fix = f"Asymmetric ones only: {listed(tuple(ALGORITHMS))}."
        section.wrong(("algorithms",), f"{name!r:.40} is not an accepted algorithm", fix)
    return names & set(ALGORITHMS)


def _key_location(section: MappingReader, profile: Profile, names: tuple[str, ...]) -> KeyLocation:
    uri, file = section.text("jwks_uri"), section.text("jwks_file")
    _require_fetchable(section, "jwks_uri", uri)
    if uri and file:
        section.wrong(("jwks_file",), "jwks_uri and jwks_file are both set", "Keep one of them.")
    discovery = ""
    if not uri and not file and names:
        uri, discovery = _derived_location(profile, names)
        derived = uri or discovery_url(discovery)
        # A name near the length limit is fine itself, and too long with the path behind it.
        if not refusal(names[0]) and refusal(derived):
            section.wrong(("issuer",), f"{derived!r:.200} cannot be fetched: {refusal(derived)}", "Write `jwks_uri`.")
    inside = profile.in_cluster if profile.in_cluster and profile.in_cluster.jwks_uri == uri else None
    return KeyLocation(
        jwks_uri=uri,
        jwks_file=file,
        discovery=discovery,
        ca_file=section.text("ca_file", inside.ca_file if inside else ""),
        bearer_token_file=section.text("bearer_token_file", inside.bearer_token_file if inside else ""),
        refresh_seconds=section.seconds("refresh", 300, 1, MAX_REFRESH_SECONDS),
        max_stale_seconds=section.seconds("max_stale", 86_400, 1, MAX_STALE_LIMIT_SECONDS),
    )


def _derived_location(profile: Profile, names: tuple[str, ...]) -> tuple[str, str]:
    """The `jwks_uri`, or the issuer whose discovery document names it; the other is empty."""
    if profile.in_cluster and names[0] in profile.issuers:
        return profile.in_cluster.jwks_uri, ""
    if profile.jwks_path:
        return names[0].rstrip("/") + profile.jwks_path, ""
    return "", names[0]


def _userinfo_location(section: MappingReader, keys: KeyLocation) -> UserinfoLocation | None:
    uri = section.text("userinfo_uri")
    _require_fetchable(section, "userinfo_uri", uri)
    if not uri and not keys.discovery:
        return None
    return UserinfoLocation(uri=uri, discovery="" if uri else keys.discovery, ca_file=keys.ca_file)


def _grant(section: MappingReader, profile: Profile) -> Grant:
    when = section.section("when")
    if "scopes" in when:
        fix = "Name groups or claims: a grant that looks at scopes could grant itself."
        when.raw("scopes")
        when.wrong(("scopes",), "a grant cannot depend on scopes", fix, on_key=True)
    conditions = read_conditions(when)
    refuse_userinfo(when, conditions, "a grant is decided by the token alone", "Name a claim of the token.")
    if conditions.groups is None and not conditions.claims and not when.names:
        when.wrong((), "the condition is empty", "Name groups or claims, so that not everybody gets the scopes.")
    if exposure_of_conditions(profile, conditions) is Exposure.NOBODY:
        strings = listed(tuple(f"`{name.text}`" for name in profile.required_claims))
        fix = f"These tokens have no groups, and {strings} are strings: put numbers in quotes."
        when.wrong((), f"no {profile.name} token can meet the condition", fix)
    when.finish()
    scopes = section.texts("scopes")
    if "scopes" not in section:
        section.wrong((), "scopes is missing", "Write the scopes that the grant gives.")
    for scope in sorted(scopes):
        if not is_scope(scope):
            section.wrong(("scopes",), f"{scope!r:.60} is not one scope", "Write one scope per entry, without spaces.")
    section.finish()
    return Grant(conditions, scopes)


def _refuse_grants_to_strangers(section: MappingReader, issuer: Issuer) -> None:
    """A grant that any customer of a shared issuer can meet gives the scopes to everybody."""
    owners = listed(tuple(dict.fromkeys(f"`{each.claim}`" for each in issuer.profile.owner_claims if each.immutable)))
    for index, grant in enumerate(issuer.grants):
        if exposure_of_conditions(issuer.profile, grant.when) is Exposure.ANYONE:
            problem = "the condition can be met by anyone's workload"
            section.wrong(("grants", index, "when"), problem, f"Say whose it must be: {owners}.")
