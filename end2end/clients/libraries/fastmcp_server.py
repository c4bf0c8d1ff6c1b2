"""A FastMCP server that checks tokens: by their signature, as a protected resource, or by asking (RFC 7662)."""
import os
import sys

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token

issuer, resource = os.environ["ISSUER"], os.environ["RESOURCE"]
base, port = resource.removesuffix("/mcp"), int(os.environ["PORT"])


def signature(**settings):
    return JWTVerifier(
        jwks_uri=f"{issuer}/mcp/oauth/jwks", issuer=issuer, audience=resource, algorithm="ES256",
        required_scopes=["docs:read"], **settings,
    )


auth = {
    "JWTVerifier": lambda: signature(base_url=base),
    "RemoteAuthProvider": lambda: RemoteAuthProvider(
        token_verifier=signature(), authorization_servers=[issuer], base_url=base, scopes_supported=["docs:read"]
    ),
    "introspection": lambda: IntrospectionTokenVerifier(
        introspection_url=f"{issuer}/mcp/oauth/introspect", client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"], audience=resource, required_scopes=["docs:read"], base_url=base,
    ),
}[sys.argv[1]]()
server = FastMCP("docs", auth=auth)


@server.tool
def whoami() -> str:
    return get_access_token().client_id


server.run(transport="http", host="127.0.0.1", port=port, show_banner=False)
