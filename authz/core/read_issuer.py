"""Read one issuer of the configuration, with the defaults of its profile."""

from __future__ import annotations

from authz.core.claims import ClaimName
from authz.core.exposure import Exposure, admits_strangers, exposure_of_conditions, is_impossible
from authz.core.issuers import TENANT, Grant, Issuer, is_tenant
from authz.core.mapping_reader import MappingReader, describe, listed
from authz.core.profiles import PROFILES, Profile, cognito_issuers
from authz.core.read_locations import read_key_location, read_userinfo_location
from authz.core.read_policy import read_conditions, read_scopes, refuse_userinfo
from authz.core.signature_algorithms import ALGORITHMS

ANY = "any"
"""The value that disables a check explicitly."""

MAX_IDENTIFIER_CHARACTERS = 2048
"""The longest `iss` in the configuration: longer than any URL that is fetched."""

MAX_LEEWAY_SECONDS = 300.0
"""Clocks that differ by more than five minutes are broken. A larger leeway would accept expired tokens."""


def read_issuer(reader: MappingReader, alias: str, proxy: str = "") -> Issuer | None:
    """Read one issuer. The reader collects the problems. None if its profile is unknown.

    `proxy` is the egress proxy of issuers that name none.
    """
    profile = _profile(reader)
    if profile is None:
        return None
    written = _names(reader, profile)
    names, templates = _with_tenants(reader, written)
    keys = read_key_location(reader, profile, names or templates, proxy)
    issuer = Issuer(
        alias=alias,
        profile=profile,
        identifiers=frozenset(names),
        audiences=_audiences(reader, profile),
        client_ids=_listed_or_any(reader, "client_ids", required=True) if profile.audience_is_client_id else None,
        algorithms=_algorithms(reader, profile),
        leeway_seconds=reader.seconds("leeway", 10, 0, MAX_LEEWAY_SECONDS),
        keys=keys,
        scope_claims=_claims(reader, "scope_claims", profile.scope_claims) if not profile.is_workload else (),
        groups_claim=_groups_claim(reader, profile),
        client_claims=_claims(reader, "client_claims", profile.client_claims),
        require_audience=reader.flag("require_audience"),
        ignore_confirmation=reader.flag("ignore_confirmation"),
        templates=templates,
        accepts_any_tenant=bool(templates) and not names,
        grants=tuple(_grant(grant, profile) for grant in reader.each("grants")),
        userinfo=read_userinfo_location(reader, keys) if not profile.is_workload else None,
    )
    if admits_strangers(issuer):
        _refuse_grants_to_strangers(reader, issuer)
    reader.finish()
    return issuer


def _profile(reader: MappingReader) -> Profile | None:
    choices = tuple(PROFILES)
    if "profile" not in reader:
        reader.wrong((), "profile is missing", f"Write `profile:` with one of {listed(choices)}.")
    return PROFILES.get(reader.one_of("profile", choices, ""))


def _names(reader: MappingReader, profile: Profile) -> tuple[str, ...]:
    """Return the accepted values of `iss`, with `{tenantid}` if written so. The first is the base of derived URLs.

    An identifier is a name (StringOrURI, RFC 7519 section 2). Only what is fetched has to be an https URL.
    """
    derived = _user_pool(reader) if profile.name == "cognito" else ()
    written = reader.items("issuer", reader.raw("issuer")) if "issuer" in reader else []
    for name in written:
        if not isinstance(name, str) or not name or not name.isprintable() or len(name) > MAX_IDENTIFIER_CHARACTERS:
            reader.wrong(("issuer",), f"{describe(name)} cannot be an `iss`", "Write the exact `iss` of its tokens.")
        elif "*" in name:
            reader.wrong(("issuer",), "an issuer cannot have wildcards", "Write the exact `iss` of its tokens.")
        elif name.count(TENANT) > 1:
            reader.wrong(("issuer",), f"the issuer contains {TENANT} twice", f"Write {TENANT} once.")
    names = tuple(name for name in written if isinstance(name, str)) or derived
    names = names or profile.issuers or profile.issuer_templates
    if not names and profile.name != "cognito":
        fix = profile.issuer_fix or 'Write `issuer: "https://..."`, exactly as `iss` in its tokens.'
        reader.wrong((), "issuer is missing", fix)
    for name in names:
        if profile.issuer_shape is not None and profile.issuer_shape.fullmatch(name) is None:
            problem = f"{name!r:.200} is not the URL of a {profile.name} issuer"
            reader.wrong(("issuer",), problem, profile.issuer_fix)
    return names


def _with_tenants(reader: MappingReader, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the exact identifiers, none if every tenant is accepted, and the templates."""
    templated = tuple(name for name in names if TENANT in name)
    exact = tuple(name for name in names if TENANT not in name)
    if "tenants" not in reader:
        if templated:
            fix = "List the tenant ids, or write `tenants: any` to accept the tokens of every tenant."
            reader.wrong((), f"the issuer contains {TENANT}, and tenants is missing", fix)
        return exact, ()
    if not templated or exact:
        reader.raw("tenants")
        fix = f"Write `issuer: https://.../{TENANT}/...`, or leave `tenants` out."
        reader.wrong(("tenants",), f"tenants needs an issuer that contains {TENANT}, and no other", fix)
        return exact, ()
    tenants = _listed_or_any(reader, "tenants", required=True)
    if tenants is None:
        return (), templated
    for tenant in sorted(tenants):
        if not is_tenant(tenant):
            reader.wrong(("tenants",), f"{tenant!r:.80} is not a tenant id", "Write the id of the directory, a GUID.")
    return tuple(name.replace(TENANT, tenant) for name in templated for tenant in sorted(tenants)), templated


def _claims(reader: MappingReader, field: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Read a list of claim names in their order of preference."""
    if field not in reader:
        return default
    names = reader.items(field, reader.raw(field))
    for name in names:
        if not isinstance(name, str) or not name:
            reader.wrong((field,), f"{describe(name)} is not a claim name", f"Write `{field}: [{default[0]}]`.")
    return tuple(name for name in names if isinstance(name, str))


def _groups_claim(reader: MappingReader, profile: Profile) -> ClaimName | None:
    text = profile.groups_claim
    if not profile.is_workload:
        text = reader.text("groups_claim", text)
    if not text:
        return None
    try:
        return ClaimName.parse(text)
    except ValueError as error:
        reader.wrong(("groups_claim",), str(error), "Write a claim's name, or a JSON Pointer such as `/a/roles`.")
        return None


def _user_pool(reader: MappingReader) -> tuple[str, ...]:
    regions = tuple(sorted(reader.texts("replica_regions")))
    pool = reader.text("user_pool_id")
    if regions and (not pool or "issuer" in reader):
        fix = "Write `user_pool_id` instead of `issuer`."
        reader.wrong(("replica_regions",), "the Regions need a user pool id, and no issuer beside it", fix)
    if not pool:
        if "user_pool_id" not in reader and "issuer" not in reader:
            reader.wrong((), "user_pool_id is missing", "Write `user_pool_id: REGION_ID`, as the console shows it.")
        return ()
    try:
        return cognito_issuers(pool, regions)
    except ValueError as error:
        fix = "Write it as the console shows it: `ap-northeast-1_AbCdEfGhI`."
        at_fault = "replica_regions" if regions and _is_user_pool(pool) else "user_pool_id"
        if at_fault == "replica_regions":
            fix = "Write the names of AWS Regions, as in `replica_regions: [ap-northeast-3]`."
        reader.wrong((at_fault,), str(error), fix)
        return ()


def _is_user_pool(pool: str) -> bool:
    try:
        return bool(cognito_issuers(pool))
    except ValueError:
        return False


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
    if profile.is_workload and is_impossible(profile, conditions):
        strings = listed(tuple(f"`{name.text}`" for name in profile.required_claims))
        fix = f"These tokens have no groups, and {strings} are strings. Put numbers in quotes."
        when.wrong((), f"no {profile.name} token can meet the condition", fix)
    when.finish()
    scopes = read_scopes(reader)
    if "scopes" not in reader:
        reader.wrong((), "scopes is missing", "Write the scopes that the grant adds.")
    reader.finish()
    return Grant(conditions, scopes)


def _refuse_grants_to_strangers(reader: MappingReader, issuer: Issuer) -> None:
    """Report a grant that any customer or tenant of a shared issuer can meet.

    A condition on the tenant in the policies would not help: the upstream receives the scopes under every policy.
    """
    problem = "the workloads of any customer of the issuer meet the condition"
    owners = dict.fromkeys(f"`{each.claim}`" for each in issuer.profile.owner_claims if each.immutable)
    fix = f"Add a condition on the owner: {listed(tuple(owners))}."
    if issuer.accepts_any_tenant:
        problem = "the administrator of any tenant can meet the condition"
        fix = "Add a condition on the tenant: `claims: { tid: TENANT_ID }`."
    for index, grant in enumerate(issuer.grants):
        if exposure_of_conditions(issuer, grant.when) is Exposure.ANYONE:
            reader.wrong(("grants", index, "when"), problem, fix)
