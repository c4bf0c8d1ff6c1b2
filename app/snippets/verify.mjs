import { createRemoteJWKSet, jwtVerify } from 'jose';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';

const issuer = '__ISSUER__';
const resource = '__RESOURCE__';
const keys = createRemoteJWKSet(new URL(`${issuer}/mcp/oauth/jwks`));

async function verifyAccessToken(token) {
  const options = { issuer, audience: resource, typ: 'at+jwt', algorithms: ['__ALG__'] };
  const { payload } = await jwtVerify(token, keys, options).catch(() => {
    throw new InvalidTokenError('The token is not valid here.');
  });
  return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
}

// With Express: app.post('/mcp', requireToken, …). Handlers find the token in request.auth.
export const requireToken = requireBearerAuth({
  verifier: { verifyAccessToken },
  requiredScopes: '__SCOPE__'.split(' '),
  resourceMetadataUrl: '__METADATA__',
});
