"""Read one issuer of the configuration, with the defaults of its profile."""

from __future__ import annotations

from authz.core.claims import is_scope
from authz.core.egress_proxy import read_proxy
from authz.core.exposure import Exposure, exposure_of_conditions, is_multi_tenant
from authz.core.issuers import Grant, Issuer, KeyLocation, UserinfoLocation
from authz.core.keyset import ALGORITHMS
from authz.core.mapping_reader import MappingReader, describe, listed
from authz.core.profiles import PROFILES, Profile, cognito_issuers
from authz.core.read_policy import read_conditions, refuse_userinfo
from authz.core.url import discovery_url, refusal

ANY = "any"
"""The value that disables a check explicitly."""

MAX_LEEWAY_SECONDS = 300.0
"""Clocks that differ by more than five minutes are broken. A larger leeway would accept expired tokens."""

MAX_REFRESH_SECONDS = 86_400.0
MAX_STALE_LIMIT_SECONDS = 7 * 86_400.0
"""A key set that was not refreshed for a week can contain keys that the issuer has revoked."""


def read_issuer(reader: MappingReader, alias: str, proxy: str = "") -> Issuer | None:
    """Read one issuer. The reader collects the problems. None if its profile is unknown.

    `proxy` is the egress proxy of issuers that name none.
    """
    profile = _profile(reader)
    if profile is None:
        return None
    names = _names(reader, profile)
    keys = _key_location(reader, profile, names, proxy)
    issuer = Issuer(
        alias=alias,
        profile=profile,
        identifiers=frozenset(names),
        audiences=_audiences(reader, profile),
        client_ids=_listed_or_any(reader, "client_ids", required=True) if profile.audience_is_client_id else None,
        algorithms=_algorithms(reader, profile),
        leeway_seconds=reader.seconds("leeway", 10, 0, MAX_LEEWAY_SECONDS),
        keys=keys,
        grants=tuple(_grant(grant, profile) for grant in reader.each("grants")),
        userinfo=_userinfo_location(reader, keys) if not profile.is_workload else None,
    )
    if is_multi_tenant(issuer):
        _refuse_grants_to_strangers(reader, issuer)
    reader.finish()
    return issuer


def _require_fetchable(reader: MappingReader, field: str, text: str) -> None:
    """Report a URL that a source would refuse to fetch."""
    why = refusal(text) if text else ""
    if why:
        reader.wrong((field,), f"{text!r:.200} cannot be fetched: {why}", "Write an https URL.")


def _profile(reader: MappingReader) -> Profile | None:
    choices = tuple(PROFILES)
    if "profile" not in reader:
        reader.wrong((), "profile is missing", f"Write `profile:` with one of {listed(choices)}.")
    return PROFILES.get(reader.one_of("profile", choices, ""))


def _names(reader: MappingReader, profile: Profile) -> tuple[str, ...]:
    """Return the accepted values of `iss`. The first is the base of derived URLs."""
    derived = _user_pool(reader) if profile.name == "cognito" else ()
    written = reader.items("issuer", reader.raw("issuer")) if "issuer" in reader else []
    for name in written:
        why = refusal(name) if isinstance(name, str) else "it is not a string"
        if isinstance(name, str) and "*" in name:
            reader.wrong(("issuer",), "an issuer cannot have wildcards", "Write the exact `iss` of its tokens.")
        elif why:
            problem = f"{describe(name)} is not the URL of an issuer: {why}"
            reader.wrong(("issuer",), problem, 'Write `issuer: "https://..."`.')
    names = tuple(name for name in written if isinstance(name, str)) or derived
    names = names or profile.issuers
    if not names and profile.name != "cognito":
        fix = profile.issuer_fix or 'Write `issuer: "https://..."`, exactly as `iss` in its tokens.'
        reader.wrong((), "issuer is missing", fix)
    for name in names:
        if profile.issuer_shape is not None and profile.issuer_shape.fullmatch(name) is None:
            problem = f"{name!r:.200} is not the URL of a {profile.name} issuer"
            reader.wrong(("issuer",), problem, profile.issuer_fix)
    return names


def _user_pool(reader: MappingReader) -> tuple[str, ...]:
    pool = reader.text("user_pool_id")
    if not pool:
        if "user_pool_id" not in reader and "issuer" not in reader:
            reader.wrong((), "user_pool_id is missing", "Write `user_pool_id: REGION_ID`, as the console shows it.")
        return ()
    try:
        return cognito_issuers(pool)
    except ValueError:
        fix = "Write it as the console shows it: `ap-northeast-1_AbCdEfGhI`."
        reader.wrong(("user_pool_id",), f"{pool!r:.80} is not a user pool id", fix)
        return ()


def _listed_or_any(reader: MappingReader, name: str, *, required: bool) -> frozenset[str] | None:
    """Return exact values, or None for `any`. A missing field does not mean `any`."""
    if name not in reader:
        if required:
            fix = f"List the accepted ones, or write `{name}: any` to accept all."
            reader.wrong((), f"{name} is missing", fix)
        return frozenset()
    if reader.raw(name) == ANY:
        return None
    values = reader.texts(name)
    for value in sorted(values):
        if "*" in value or value == ANY:
            reader.wrong((name,), f"{value!r:.60} is not an exact value", f"To accept all, write `{name}: any`.")
    return values


def _audiences(reader: MappingReader, profile: Profile) -> frozenset[str] | None:
    audiences = _listed_or_any(reader, "audiences", required=not profile.audience_is_client_id)
    if audiences is None and profile.is_workload:
        problem = f"`audiences: any` would accept {profile.name} tokens for other services"
        reader.wrong(("audiences",), problem, "List the audience that jobs request for this service.")
    return audiences


def _algorithms(reader: MappingReader, profile: Profile) -> frozenset[str]:
    if "algorithms" not in reader:
        return profile.algorithms
    names = reader.texts("algorithms")
    for name in sorted(names - set(ALGORITHMS)):
        fix = f"Accepted (asymmetric only): {listed(tuple(ALGORITHMS))}."
        reader.wrong(("algorithms",), f"{name!r:.40} is not an accepted algorithm", fix)
    return names & set(ALGORITHMS)


def _key_location(reader: MappingReader, profile: Profile, names: tuple[str, ...], proxy: str) -> KeyLocation:
    uri, file = reader.text("jwks_uri"), reader.text("jwks_file")
    _require_fetchable(reader, "jwks_uri", uri)
    if uri and file:
        reader.wrong(("jwks_file",), "jwks_uri and jwks_file are both set", "Keep one of them.")
    discovery = ""
    if not uri and not file and names:
        uri, discovery = _derived_location(profile, names)
        derived = uri or discovery_url(discovery)
        # An identifier near the length limit is valid, but too long with the path appended.
        if not refusal(names[0]) and refusal(derived):
            reader.wrong(("issuer",), f"{derived!r:.200} cannot be fetched: {refusal(derived)}", "Write `jwks_uri`.")
    inside = profile.in_cluster if profile.in_cluster and profile.in_cluster.jwks_uri == uri else None
    return KeyLocation(
        jwks_uri=uri,
        jwks_file=file,
        discovery=discovery,
        proxy=read_proxy(reader, "" if inside else proxy),  # an API server is not behind the egress proxy
        ca_file=reader.text("ca_file", inside.ca_file if inside else ""),
        bearer_token_file=reader.text("bearer_token_file", inside.bearer_token_file if inside else ""),
        refresh_seconds=reader.seconds("refresh", 300, 1, MAX_REFRESH_SECONDS),
        max_stale_seconds=reader.seconds("max_stale", 86_400, 1, MAX_STALE_LIMIT_SECONDS),
    )


def _derived_location(profile: Profile, names: tuple[str, ...]) -> tuple[str, str]:
    """Return the `jwks_uri`, or the issuer whose discovery document contains it. The other is empty."""
    if profile.in_cluster and names[0] in profile.issuers:
        return profile.in_cluster.jwks_uri, ""
    if profile.jwks_path:
        return names[0].rstrip("/") + profile.jwks_path, ""
    return "", names[0]


def _userinfo_location(reader: MappingReader, keys: KeyLocation) -> UserinfoLocation | None:
    uri = reader.text("userinfo_uri")
    _require_fetchable(reader, "userinfo_uri", uri)
    if not uri and not keys.discovery:
        return None
    return UserinfoLocation(uri=uri, discovery="" if uri else keys.discovery, ca_file=keys.ca_file, proxy=keys.proxy)


def _grant(reader: MappingReader, profile: Profile) -> Grant:
    when = reader.section("when")
    if "scopes" in when:
        fix = "Name groups or claims. A grant that depends on scopes could add scopes to itself."
        when.raw("scopes")
        when.wrong(("scopes",), "a grant cannot depend on scopes", fix, on_key=True)
    conditions = read_conditions(when)
    refuse_userinfo(when, conditions, "a grant depends on the token alone", "Name a claim of the token.")
    if conditions.groups is None and not conditions.claims and not when.names:
        when.wrong((), "the condition is empty", "Name groups or claims. Otherwise every token gets the scopes.")
    if exposure_of_conditions(profile, conditions) is Exposure.NOBODY:
        strings = listed(tuple(f"`{name.text}`" for name in profile.required_claims))
        fix = f"These tokens have no groups, and {strings} are strings. Put numbers in quotes."
        when.wrong((), f"no {profile.name} token can meet the condition", fix)
    when.finish()
    scopes = reader.texts("scopes")
    if "scopes" not in reader:
        reader.wrong((), "scopes is missing", "Write the scopes that the grant adds.")
    for scope in sorted(scopes):
        if not is_scope(scope):
            reader.wrong(("scopes",), f"{scope!r:.60} is not one scope", "Write one scope per entry, without spaces.")
    reader.finish()
    return Grant(conditions, scopes)


def _refuse_grants_to_strangers(reader: MappingReader, issuer: Issuer) -> None:
    """Report a grant that any customer of a shared issuer can meet."""
    owners = listed(tuple(dict.fromkeys(f"`{each.claim}`" for each in issuer.profile.owner_claims if each.immutable)))
    for index, grant in enumerate(issuer.grants):
        if exposure_of_conditions(issuer.profile, grant.when) is Exposure.ANYONE:
            problem = "the workloads of any customer of the issuer meet the condition"
            reader.wrong(("grants", index, "when"), problem, f"Add a condition on the owner: {owners}.")
