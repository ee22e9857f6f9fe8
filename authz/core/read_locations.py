"""Read the locations of an issuer's keys and of its userinfo endpoint, and how long keys may be used."""

from __future__ import annotations

from authz.core.egress_proxy import read_proxy
from authz.core.issuers import KeyLocation, UserinfoLocation
from authz.core.mapping_reader import MappingReader
from authz.core.profiles import Profile, cognito_fallbacks
from authz.core.url import discovery_url, refusal

MAX_REFRESH_SECONDS = 86_400.0
MAX_STALE_LIMIT_SECONDS = 7 * 86_400.0
"""A key set that was not refreshed for a week can contain keys that the issuer has revoked."""


def read_key_location(reader: MappingReader, profile: Profile, names: tuple[str, ...], proxy: str) -> KeyLocation:
    """Read the location of the keys. Without `jwks_uri` and `jwks_file` it follows from the first of the names."""
    uri, file = reader.text("jwks_uri"), reader.text("jwks_file")
    _require_fetchable(reader, "jwks_uri", uri)
    if uri and file:
        reader.wrong(("jwks_file",), "jwks_uri and jwks_file are both set", "Keep one of them.")
    discovery = ""
    if not uri and not file and names:
        uri, discovery = _derived_location(profile, names)
        derived = uri or discovery_url(discovery)
        if refusal(derived):
            fix = "Write `jwks_uri`, the https URL of its keys, or `jwks_file`."
            reader.wrong(("issuer",), f"no keys can be fetched from {names[0]!r:.200}: {refusal(derived)}", fix)
    inside = profile.in_cluster if profile.in_cluster and profile.in_cluster.jwks_uri == uri else None
    return KeyLocation(
        jwks_uri=uri,
        jwks_file=file,
        discovery=discovery,
        fallbacks=_replicas(reader, profile, names) if uri and "jwks_uri" not in reader else (),
        proxy=read_proxy(reader, "" if inside else proxy),  # an API server is not behind the egress proxy
        ca_file=reader.text("ca_file", inside.ca_file if inside else ""),
        bearer_token_file=reader.text("bearer_token_file", inside.bearer_token_file if inside else ""),
        refresh_seconds=reader.seconds("refresh", 300, 1, MAX_REFRESH_SECONDS),
        max_stale_seconds=reader.seconds("max_stale", 86_400, 1, MAX_STALE_LIMIT_SECONDS),
        distinct_kids=profile.has_distinct_kids,
    )


def _replicas(reader: MappingReader, profile: Profile, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the further URLs of a replicated pool's key set."""
    if profile.name != "cognito" or "replica_regions" not in reader:
        return ()
    return tuple(name + profile.jwks_path for name in cognito_fallbacks(names))


def _derived_location(profile: Profile, names: tuple[str, ...]) -> tuple[str, str]:
    """Return the `jwks_uri`, or the issuer whose discovery document contains it. The other is empty."""
    if profile.in_cluster and names[0] in profile.issuers:
        return profile.in_cluster.jwks_uri, ""
    if profile.jwks_uri:
        return profile.jwks_uri, ""
    if profile.jwks_path:
        return names[0].rstrip("/") + profile.jwks_path, ""
    return "", names[0]


def read_userinfo_location(reader: MappingReader, keys: KeyLocation) -> UserinfoLocation | None:
    """Read the location of the userinfo endpoint, None if neither a URL nor a discovery document names it."""
    uri = reader.text("userinfo_uri")
    _require_fetchable(reader, "userinfo_uri", uri)
    if not uri and not keys.discovery:
        return None
    return UserinfoLocation(uri=uri, discovery="" if uri else keys.discovery, ca_file=keys.ca_file, proxy=keys.proxy)


def _require_fetchable(reader: MappingReader, field: str, text: str) -> None:
    """Report a URL that a source would refuse to fetch."""
    why = refusal(text) if text else ""
    if why:
        reader.wrong((field,), f"{text!r:.200} cannot be fetched: {why}", "Write an https URL.")
