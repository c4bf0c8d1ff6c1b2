"""Lets a person sign in with mcp-use, and prints the tools and what the tool `whoami` answers.

The first argument is the settings of the connection, as JSON.
"""

import asyncio
import json
import os
import sys

from mcp_use import MCPClient


async def main():
    server = {"url": os.environ["MCP_SERVER_URL"], **json.loads(sys.argv[1])}
    client = MCPClient({"mcpServers": {"countersign": server}})
    session = await client.create_session("countersign")
    print([tool.name for tool in await session.list_tools()])
    print((await session.call_tool("whoami", {})).content[0].text)
    await client.close_all_sessions()


asyncio.run(main())
