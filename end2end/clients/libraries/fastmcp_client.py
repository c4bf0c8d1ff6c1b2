"""The client of FastMCP: a person signs in, or it gets a token."""
import asyncio
import os
import sys

from fastmcp import Client
from fastmcp.client.auth import BearerAuth, OAuth


async def main():
    url = os.environ["RESOURCE"]
    if sys.argv[1] == "person":
        auth = OAuth(mcp_url=url, callback_port=int(os.environ["CALLBACK_PORT"]))
    else:
        auth = BearerAuth(os.environ["MCP_ACCESS_TOKEN"])
    async with Client(url, auth=auth) as client:
        print([tool.name for tool in await client.list_tools()])
        print((await client.call_tool("whoami")).data)


asyncio.run(main())
