"""The login endpoints of an OpenID provider, from its discovery document (OpenID Connect Discovery 1.0 section 4)."""

from __future__ import annotations

import asyncio
from typing import Any

from authz.core.egress_proxy import FROM_ENVIRONMENT
from authz.core.problems import ConfigurationError
from authz.core.url import refusal
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.discovery import described, find
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed
from authz.sources.key_documents import HttpsClient
from authz.tools.init.answers import Endpoints

_FIX = "Check --issuer, or give --authorization-endpoint and --token-endpoint."


def endpoints_of(issuer: str) -> Endpoints:
    """Fetch the discovery document and return the endpoints in it. Raises ConfigurationError with the cause."""
    try:
        members = described(asyncio.run(_fetch(issuer)), issuer)
    except FetchFailed as failed:
        message = (
            f"--issuer {issuer!r:.200} does not answer as an OpenID provider: {failed.result.value}, {failed.detail}"
        )
        raise ConfigurationError.because(message, _FIX) from failed
    return Endpoints(
        authorization=_https(members, "authorization_endpoint"),
        token=_https(members, "token_endpoint"),
        end_session=_https(members, "end_session_endpoint") if "end_session_endpoint" in members else "",
    )


async def _fetch(issuer: str) -> bytes:
    return await find(issuer, HttpsClient("", BlockingWorker(), Environment(), FROM_ENVIRONMENT).get)


def _https(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or refusal(value):
        raise ConfigurationError.because(f"the discovery document has no https {name}", _FIX)
    return value
