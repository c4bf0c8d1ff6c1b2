import asyncio
import os
from pathlib import Path

import httpx
from mcp import ClientSession
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider
from mcp.client.streamable_http import streamable_http_client


class Memory(TokenStorage):
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def identity_token(audience):
    return Path(os.environ["MCP_IDENTITY_TOKEN_FILE"]).read_text().strip()


async def main():
    url = os.environ["MCP_SERVER_URL"]
    auth = PrivateKeyJWTOAuthProvider(
        url,
        Memory(),
        client_id=os.environ["MCP_CLIENT_ID"],
        assertion_provider=identity_token,
        issuer=os.environ["MCP_TOKEN_URL"].removesuffix("/mcp/oauth/token"),
    )
    async with httpx.AsyncClient(auth=auth, timeout=30) as http:
        async with streamable_http_client(url, http_client=http) as (read, write, _):
            async with ClientSession(read, write) as client:
                await client.initialize()
                print([tool.name for tool in (await client.list_tools()).tools])
                print((await client.call_tool("whoami")).content[0].text)


asyncio.run(main())
