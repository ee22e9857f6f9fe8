"""An MCP server by the official SDK. Argument: port. Envoy and authz decide who reaches it.

The tools `test_...` are those that the conformance suite calls.
"""

from __future__ import annotations

import asyncio
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("orders")


def whoami(context: Context) -> str:
    """Who calls, as the verified headers say."""
    return str((context.headers or {}).get("x-auth-subject", "nobody"))


def list_orders() -> list[str]:
    """The open orders."""
    return ["4242", "4243"]


def test_simple_text() -> str:
    """Return a text."""
    return "This is a simple text response for testing."


def test_error_handling() -> str:
    """Fail."""
    raise ValueError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(context: Context) -> str:
    """Report the progress three times."""
    for progress in (0, 50, 100):
        await context.report_progress(progress, 100)
        await asyncio.sleep(0.05)
    return "done"


for tool in (whoami, list_orders, test_simple_text, test_error_handling, test_tool_with_progress):
    server.add_tool(tool)
server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
