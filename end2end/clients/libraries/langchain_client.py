"""langchain-mcp-adapters with a token in a header, and with a secret that it exchanges by itself."""
import asyncio
import os
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider


class Memory:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def main():
    url = os.environ["RESOURCE"]
    connection = {"transport": "streamable_http", "url": url}
    if sys.argv[1] == "header":
        connection["headers"] = {"Authorization": f"Bearer {os.environ['MCP_ACCESS_TOKEN']}"}
    else:
        connection["auth"] = ClientCredentialsOAuthProvider(
            server_url=url, storage=Memory(), client_id=os.environ["CLIENT_ID"],
            client_secret=os.environ["CLIENT_SECRET"],
        )
    tools = await MultiServerMCPClient({"docs": connection}).get_tools()
    whoami = next(tool for tool in tools if tool.name == "whoami")
    print("whoami", await whoami.ainvoke({}))


asyncio.run(main())
