"""Connects in one way with the official SDK, version 2, and prints the tools and what `whoami` answers."""

import asyncio
import os
import sys
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions import client_credentials as ways
from mcp.client.streamable_http import streamable_http_client

URL = os.environ["MCP_SERVER_URL"]
CLIENT_ID = os.environ["MCP_CLIENT_ID"]
ISSUER = os.environ["MCP_TOKEN_URL"].removesuffix("/mcp/oauth/token")


class Memory(TokenStorage):
    tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens


async def workload(audience):
    assert audience == ISSUER
    return os.environ["ASSERTION"]


def secret(method):
    return ways.ClientCredentialsOAuthProvider(
        URL,
        Memory(),
        client_id=CLIENT_ID,
        client_secret=os.environ["MCP_CLIENT_SECRET"],
        token_endpoint_auth_method=method,
        issuer=ISSUER,
    )


def assertion(provider):
    return ways.PrivateKeyJWTOAuthProvider(
        URL, Memory(), client_id=CLIENT_ID, assertion_provider=provider, issuer=ISSUER
    )


def signed(algorithm):
    key = Path(os.environ["MCP_PRIVATE_KEY_FILE"]).read_text()
    parameters = ways.SignedJWTParameters(
        issuer=CLIENT_ID, subject=CLIENT_ID, signing_key=key, signing_algorithm=algorithm
    )
    return assertion(parameters.create_assertion_provider())


WAYS = {
    "secret in the header": lambda: secret("client_secret_basic"),
    "secret in the body": lambda: secret("client_secret_post"),
    "key RS256": lambda: signed("RS256"),
    "key ES256": lambda: signed("ES256"),
    "prepared assertion": lambda: assertion(ways.static_assertion_provider(os.environ["ASSERTION"])),
    "workload identity": lambda: assertion(workload),
}


async def main():
    async with httpx2.AsyncClient(auth=WAYS[sys.argv[1]](), timeout=30) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            print([tool.name for tool in (await client.list_tools()).tools])
            print((await client.call_tool("whoami")).content[0].text)


asyncio.run(main())
