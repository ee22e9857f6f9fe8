"""The login endpoints of an OpenID provider, from its discovery document (OpenID Connect Discovery 1.0 section 4)."""

from __future__ import annotations

import asyncio
from typing import Any

from authz.core import strict_json
from authz.core.egress_proxy import FROM_ENVIRONMENT
from authz.core.problems import ConfigurationError
from authz.sources.blocking_worker import BlockingWorker
from authz.sources.discovery import MAX_ELEMENTS, find
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed
from authz.sources.key_documents import HttpsClient
from authz.tools.init.answers import Endpoints

_FIX = "Check --issuer, or give --authorization-endpoint and --token-endpoint."


def endpoints_of(issuer: str) -> Endpoints:
    """Fetch the discovery document and return the endpoints in it. Raises ConfigurationError with the cause."""
    try:
        described = strict_json.loads(asyncio.run(_fetch(issuer)), MAX_ELEMENTS)
    except FetchFailed as failed:
        message = f"--issuer {issuer!r:.200} does not answer: {failed.result.value}, {failed.detail}"
        raise ConfigurationError.because(message, _FIX) from failed
    except strict_json.NotStrictJson as error:
        message = f"--issuer {issuer!r:.200} does not answer as an OpenID provider: its document is {error}"
        raise ConfigurationError.because(message, _FIX) from error
    if not isinstance(described, dict) or described.get("issuer") != issuer:
        raise ConfigurationError.because(f"the discovery document of {issuer!r:.200} is for another issuer", _FIX)
    return Endpoints(
        authorization=_https(described, "authorization_endpoint"),
        token=_https(described, "token_endpoint"),
        end_session=_https(described, "end_session_endpoint") if "end_session_endpoint" in described else "",
    )


async def _fetch(issuer: str) -> bytes:
    return await find(issuer, HttpsClient("", BlockingWorker(), Environment(), FROM_ENVIRONMENT).get)


def _https(described: dict[str, Any], name: str) -> str:
    value = described.get(name)
    if not isinstance(value, str) or not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ConfigurationError.because(f"the discovery document has no https {name}", _FIX)
    return value
