"""Lets a person sign in with the official SDK, version 1; calls `whoami` before and after a refresh."""

import asyncio
import os
import subprocess
from urllib.parse import parse_qs, urlsplit

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.auth import OAuthClientMetadata

URL = os.environ["MCP_SERVER_URL"]
CALLBACK = "http://localhost:3030/callback"


class Memory(TokenStorage):
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    async def open(self, url):
        command = ["node", "clients/allow.mjs", url]
        self.answer = await asyncio.to_thread(subprocess.check_output, command, text=True)

    async def answered(self):
        query = parse_qs(urlsplit(self.answer.strip()).query)
        return query["code"][0], query["state"][0]


async def call(provider):
    async with streamablehttp_client(URL, auth=provider) as (read, write, _):
        async with ClientSession(read, write) as client:
            await client.initialize()
            print([tool.name for tool in (await client.list_tools()).tools])
            print((await client.call_tool("whoami")).content[0].text)


async def main():
    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(client_name="Python SDK", redirect_uris=[CALLBACK])
    provider = OAuthClientProvider(URL, metadata, memory, browser.open, browser.answered)
    await call(provider)
    first = memory.tokens
    provider.context.token_expiry_time = 1  # long ago
    await call(provider)
    assert memory.tokens.access_token != first.access_token, "it refreshed"
    assert memory.tokens.refresh_token != first.refresh_token, "it got the next one"


asyncio.run(main())
