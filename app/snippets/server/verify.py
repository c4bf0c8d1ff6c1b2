import asyncio
import base64
import time
import urllib.request
import zlib

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


def decode(token, typ, algorithms, **expected):
    if jwt.get_unverified_header(token).get("typ") != typ:
        raise jwt.InvalidTokenError("another type")
    return jwt.decode(token, keys.get_signing_key_from_jwt(token), algorithms=algorithms, **expected)


class StatusLists:
    """Says which tokens were revoked. Each list is fetched again when its time to live is over."""

    def __init__(self):
        self.lists = {}

    def fetch(self, uri):
        with urllib.request.urlopen(uri, timeout=2) as answer:
            claims = decode(answer.read().decode(), "statuslist+jwt", ["ES256"], subject=uri)
        packed = claims["status_list"]["lst"]
        bits = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        return bits, time.time() + claims["ttl"], claims["exp"]

    def is_revoked(self, uri, idx):
        bits, fresh_until, end = self.lists.get(uri, (None, 0, 0))
        if time.time() >= fresh_until:
            try:
                bits, fresh_until, end = self.lists[uri] = self.fetch(uri)
            except OSError:
                # While the issuer cannot be reached, the last list is believed until its end.
                self.lists[uri] = bits, time.time() + 5, end
        if bits is None or time.time() >= end:
            raise jwt.InvalidTokenError("nobody can say whether it was revoked")
        return bool(bits[idx // 8] >> idx % 8 & 1)


lists = StatusLists()


class Countersign(TokenVerifier):
    async def verify_token(self, token):
        # Keys and lists are fetched now and then, which must not hold other requests up.
        return await asyncio.to_thread(self.check, token)

    def check(self, token):
        try:
            claims = decode(token, "at+jwt", ["__ALG__"], issuer=ISSUER, audience=RESOURCE)
            if lists.is_revoked(**claims["status"]["status_list"]):
                return None
        except (jwt.PyJWTError, KeyError):
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=RESOURCE,
        )
