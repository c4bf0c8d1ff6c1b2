"""Connects in one way with the official SDK, version 1, and prints the tools and what `whoami` answers."""

import asyncio
import os
import sys
from pathlib import Path

import httpx
from mcp import ClientSession
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions import client_credentials as ways
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

URL = os.environ["MCP_SERVER_URL"]
CLIENT_ID = os.environ["MCP_CLIENT_ID"]
ISSUER = os.environ["MCP_TOKEN_URL"].removesuffix("/mcp/oauth/token")
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


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


async def workload(audience):
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


def key():
    return Path(os.environ["MCP_PRIVATE_KEY_FILE"]).read_text()


def signed(algorithm):
    parameters = ways.SignedJWTParameters(
        issuer=CLIENT_ID, subject=CLIENT_ID, signing_key=key(), signing_algorithm=algorithm
    )
    return assertion(parameters.create_assertion_provider())


def grant():
    storage = Memory()
    metadata = OAuthClientMetadata(
        redirect_uris=None, grant_types=[JWT_BEARER], token_endpoint_auth_method="none", scope="mcp:read"
    )
    storage.client = OAuthClientInformationFull(client_id=CLIENT_ID, **metadata.model_dump())
    parameters = ways.JWTParameters(
        issuer=CLIENT_ID, subject="ada@example.com", jwt_signing_algorithm="ES256", jwt_signing_key=key()
    )
    return ways.RFC7523OAuthClientProvider(URL, metadata, storage, jwt_parameters=parameters)


WAYS = {
    "secret in the header": lambda: secret("client_secret_basic"),
    "secret in the body": lambda: secret("client_secret_post"),
    "key RS256": lambda: signed("RS256"),
    "key ES256": lambda: signed("ES256"),
    "prepared assertion": lambda: assertion(ways.static_assertion_provider(os.environ["ASSERTION"])),
    "workload identity": lambda: assertion(workload),
    "JWT bearer grant": grant,
}


async def main():
    async with httpx.AsyncClient(auth=WAYS[sys.argv[1]](), timeout=30) as http:
        async with streamable_http_client(URL, http_client=http) as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                print([tool.name for tool in (await session.list_tools()).tools])
                print((await session.call_tool("whoami")).content[0].text)


asyncio.run(main())
