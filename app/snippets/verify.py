import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier

ISSUER = "__ISSUER__"
RESOURCE = "__RESOURCE__"
keys = jwt.PyJWKClient(ISSUER + "/mcp/oauth/jwks")


class Countersign(TokenVerifier):
    """Pass it to MCPServer(token_verifier=Countersign(), auth=AuthSettings(issuer_url=ISSUER, ...))."""

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
