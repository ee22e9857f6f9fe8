"""An MCP client by the official SDK. Argument: the URL of an MCP server, and nothing else about it.

Prints as JSON what the tools answered, and the requests that led there.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp.shared.exceptions import MCPError

from tests.clients.pages import CALLBACK, authorize

PERSON = {"login": "alice", "password": "any"}


class Memory:
    """The SDK's store of tokens and of its registration."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def main(url: str) -> dict[str, Any]:
    """Discover, register, sign in and call."""
    returned: dict[str, str] = {}
    asked: list[str] = []
    memory = Memory()

    async def sign_in(address: str) -> None:
        returned.update(await asyncio.to_thread(authorize, address, PERSON))

    async def come_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**{name: returned.get(name) for name in ("code", "state", "iss")})

    async def note(response: httpx2.Response) -> None:
        request = response.request
        asked.append(f"{request.method} {request.url.path} {response.status_code}")

    metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="test", token_endpoint_auth_method="none")
    provider = OAuthClientProvider(url, metadata, memory, sign_in, come_back)
    answers: dict[str, str] = {}
    try:
        async with (
            httpx2.AsyncClient(auth=provider, event_hooks={"response": [note]}, timeout=40) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            for name in sorted({tool.name for tool in (await client.list_tools()).tools} & {"whoami", "list_orders"}):
                answers[name] = (await client.call_tool(name, {})).content[0].text
    except* MCPError as group:
        answers["error"] = str(group.exceptions[0])
    return {"tools": answers, "scope": memory.tokens.scope if memory.tokens else "", "asked": asked}


sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1]))))
