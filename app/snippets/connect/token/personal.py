import os
from mcp_use import MCPClient

client = MCPClient({"mcpServers": {"countersign": {
    "url": "__SERVER_URL__",
    "auth": os.environ["MCP_TOKEN"],
}}})
