"""An MCP server by the official SDK, with two tools. Argument: port. Envoy and authz decide who reaches it."""

from __future__ import annotations

import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("orders")


def whoami(context: Context) -> str:
    """Who calls, as the verified headers say."""
    return str((context.headers or {}).get("x-auth-subject", "nobody"))


def list_orders() -> list[str]:
    """The open orders."""
    return ["4242", "4243"]


server.add_tool(whoami)
server.add_tool(list_orders)
server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
