"""The request headers in which the upstream receives verified values, and the encoding of the values.

A string is forwarded unchanged. Every other claim is encoded as compact ASCII JSON, so that a list is unambiguous. If a
value is not safe in a header, the token is refused. The value is never altered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from authz.core.claims import USERINFO, ClaimName
from authz.core.mapping_reader import MappingReader, listed
from authz.core.reasons import Denied, Reason
from authz.core.userinfo import NOTHING

MAX_VALUE_CHARACTERS = 4096
"""The longest forwarded value. Many servers refuse more than 8 KiB in one header line."""

MAX_HEADERS = 32
MAX_HYPHENS_FOR_VARIANTS = 4

FAILURE_MODE_HEADER = "x-envoy-auth-failure-mode-allowed"
"""Envoy sets it if authorization failed open. From a client it is forged."""

_HEADER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SAFE_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_OWNED_BY_HTTP = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
    }
)

OWN_VALUES = ("@issuer", "@scopes", "@client")
"""Values that are not claims: the issuer's alias, the granted scopes separated by spaces, the client."""

DEFAULT: Mapping[str, str] = MappingProxyType(
    {"x-auth-subject": "sub", "x-auth-issuer": "@issuer", "x-auth-client": "@client", "x-auth-scopes": "@scopes"}
)


@dataclass(frozen=True, slots=True)
class Forward:
    """The map from header to verified value, and all header names that a client must not be able to set."""

    sources: tuple[tuple[str, str | ClaimName], ...]
    guarded: tuple[str, ...]
    """Header names to remove unless a verified value overwrites them. Includes spellings with underscores, because CGI
    and WSGI servers treat `x_auth_subject` and `x-auth-subject` as equal."""

    def headers(
        self, claims: Mapping[str, Any], own: Mapping[str, str], userinfo: Mapping[str, Any] = NOTHING
    ) -> tuple[tuple[str, str], ...]:
        """Return header names and values from verified claims, `OWN_VALUES` and userinfo claims.

        Headers without a value are skipped. Raises Denied(TOKEN_MALFORMED) if a value is not safe in a header.
        """
        encoded = [(name, _encoded(source, claims, own, userinfo)) for name, source in self.sources]
        return tuple([(name, _safe(name, value)) for name, value in encoded if value])


def read_forward(reader: MappingReader | None) -> Forward:
    """Read the `forward` mapping, or return the default. The reader collects the problems."""
    if reader is None:
        return _forward({name: _source(source) for name, source in DEFAULT.items()})
    sources: dict[str, str | ClaimName] = {}
    for name in reader.names:
        text = reader.text(name)
        if _HEADER_NAME.fullmatch(name) is None or name in _OWNED_BY_HTTP or name.startswith("x-envoy-"):
            fix = "Use another lower-case name, such as `x-auth-subject`."
            reader.wrong((name,), f"{name!r:.60} cannot be a forwarded header", fix, on_key=True)
        try:
            sources[name] = _source(text or "sub")
        except ValueError as error:
            reader.wrong(
                (name,),
                str(error),
                f"Write a claim, a JSON Pointer, `{USERINFO}/NAME`, or one of {listed(OWN_VALUES)}.",
            )
    if len(sources) > MAX_HEADERS:
        reader.wrong((), f"more than {MAX_HEADERS} headers", "Forward fewer.")
    return _forward(sources)


def _source(text: str) -> str | ClaimName:
    if text in OWN_VALUES:
        return text
    if text.startswith("@") and not text.startswith(USERINFO):
        raise ValueError(f"{text!r:.60} is not known")
    return ClaimName.parse(text)


def _forward(sources: Mapping[str, str | ClaimName]) -> Forward:
    guarded = {variant for name in sources for variant in _variants(name)} | {FAILURE_MODE_HEADER}
    return Forward(tuple(sources.items()), tuple(sorted(guarded)))


def _variants(name: str) -> set[str]:
    """Return the name with each hyphen as hyphen or underscore. If there are many, replace all or none."""
    parts = re.split("[-_]", name)
    hyphens = len(parts) - 1
    if hyphens > MAX_HYPHENS_FOR_VARIANTS:
        return {name, name.replace("-", "_")}
    return {
        "".join(part + joint for part, joint in zip(parts, (*joints, ""), strict=True))
        for joints in product("-_", repeat=hyphens)
    }


def _encoded(
    source: str | ClaimName, claims: Mapping[str, Any], own: Mapping[str, str], userinfo: Mapping[str, Any]
) -> str:
    if isinstance(source, str):
        return own[source]
    _present, value = source.find(userinfo if source.is_from_userinfo else claims)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _safe(name: str, value: str) -> str:
    if len(value) > MAX_VALUE_CHARACTERS or _SAFE_VALUE.fullmatch(value) is None:
        raise Denied(Reason.TOKEN_MALFORMED, f"the value for {name} is not safe in a header")
    return value
