import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

ISSUER = "__ISSUER__"
RESOURCE = "__RESOURCE__"
keys = jwt.PyJWKClient(ISSUER + "/mcp/oauth/jwks")

# MCPServer("docs", token_verifier=Countersign(), auth=settings); FastMCP in version 1 takes the same two.
settings = AuthSettings(
    issuer_url=ISSUER,
    resource_server_url=RESOURCE,
    required_scopes="__SCOPE__".split(),
    validate_token_resource=True,
)


class Countersign(TokenVerifier):
    async def verify_token(self, token):
        try:
            if jwt.get_unverified_header(token).get("typ") != "at+jwt":
                return None
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["__ALG__"], issuer=ISSUER, audience=RESOURCE)
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=RESOURCE,
        )
