"""An MCP server of the official SDK, version 1 or 2, behind the dashboard's program for Python servers (verify.py)."""

import sys

import uvicorn
import verify
from mcp.server.auth.middleware.auth_context import get_access_token

if sys.argv[1] == "1":
    from mcp.server.fastmcp import FastMCP as MCPServer
else:
    from mcp.server import MCPServer

server = MCPServer("docs", token_verifier=verify.Countersign(), auth=verify.settings)


@server.tool()
def whoami() -> str:
    return get_access_token().client_id


uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
