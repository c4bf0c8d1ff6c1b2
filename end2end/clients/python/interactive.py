"""Lets a person sign in with the official SDK, version 2; calls `whoami` before and after a refresh."""

import asyncio
import os
import subprocess
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

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
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])


async def call(provider):
    async with httpx2.AsyncClient(auth=provider, timeout=30) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            print([tool.name for tool in (await client.list_tools()).tools])
            print((await client.call_tool("whoami")).content[0].text)


async def main():
    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(client_name="Python SDK", redirect_uris=[CALLBACK])
    described = os.environ.get("CLIENT_METADATA_URL")
    provider = OAuthClientProvider(
        URL, metadata, memory, browser.open, browser.answered, client_metadata_url=described
    )
    await call(provider)
    first = memory.tokens
    provider.context.token_expiry_time = 1  # long ago
    await call(provider)
    assert memory.tokens.access_token != first.access_token, "it refreshed"
    assert memory.tokens.refresh_token != first.refresh_token, "it got the next one"
    print("known as", memory.client.client_id)


asyncio.run(main())
