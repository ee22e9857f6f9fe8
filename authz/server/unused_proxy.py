"""Find a proxy of the environment that the configuration does not mention, so that startup can warn of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from authz.core.configuration import Configuration
from authz.core.egress_proxy import FROM_ENVIRONMENT
from authz.core.issuers import Issuer
from authz.core.url import discovery_url
from authz.sources.fetch_result import FetchFailed, fetchable
from authz.sources.proxy_choice import https_proxy, proxy_for

FIX = "Write `proxy: environment` under node.metadata.authz, or `proxy: none` to fetch directly."


def unused_proxy(authz: Mapping[str, Any], configuration: Configuration, variables: Mapping[str, str]) -> str:
    """Return the name of the variable with a proxy that no field mentions and that fetches would use. Else empty."""
    name, _ = https_proxy(variables)
    sections = (authz, *authz["issuers"].values())
    if not name or any("proxy" in section for section in sections):
        return ""
    urls = [url for issuer in configuration.issuers.by_alias.values() for url in _fetched(issuer)]
    return name if any(_would_use_proxy(url, variables) for url in urls) else ""


def in_words(name: str) -> str:
    """Return the warning for the variable that `unused_proxy` returned."""
    return f"{name} is set, and authz does not use it: no `proxy` is configured"


def _fetched(issuer: Issuer) -> Iterator[str]:
    keys = issuer.keys
    yield from (url for url in (keys.jwks_uri, *keys.fallbacks) if url)
    yield from (discovery_url(name) for name in (keys.discovery,) if name)


def _would_use_proxy(url: str, variables: Mapping[str, str]) -> bool:
    try:
        return proxy_for(fetchable(url), FROM_ENVIRONMENT, variables) is not None
    except FetchFailed:  # a proxy of an unknown kind: fetches go around it too
        return True
