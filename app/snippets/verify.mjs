import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';

const issuer = '__ISSUER__';
const resource = '__RESOURCE__';
const keys = createRemoteJWKSet(new URL(`${issuer}/mcp/oauth/jwks`));

// Says which tokens were revoked. Each list is fetched again when its time to live is over.
const lists = new Map();

async function fetchList(uri) {
  const answer = await fetch(uri, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`${uri} answered ${answer.status}`);
  const options = { subject: uri, typ: 'statuslist+jwt', algorithms: ['ES256'] };
  const { payload } = await jwtVerify(await answer.text(), keys, options);
  const bits = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'));
  return { bits, freshUntil: Date.now() + payload.ttl * 1000, end: payload.exp * 1000 };
}

async function isRevoked({ uri, idx }) {
  let list = lists.get(uri);
  if (!list || Date.now() >= list.freshUntil) {
    try {
      list = await fetchList(uri);
      lists.set(uri, list);
    } catch (error) {
      // While the issuer cannot be reached, the last list is believed until its end.
      if (!list || Date.now() >= list.end) throw error;
    }
  }
  return ((list.bits[idx >> 3] >> (idx & 7)) & 1) === 1;
}

async function verifyAccessToken(token) {
  const options = { issuer, audience: resource, typ: 'at+jwt', algorithms: ['__ALG__'] };
  const invalid = new InvalidTokenError('The token is not valid here.');
  const { payload } = await jwtVerify(token, keys, options).catch(() => {
    throw invalid;
  });
  if (await isRevoked(payload.status.status_list)) throw invalid;
  return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
}

// With Express: app.post('/mcp', requireToken, …). Handlers find the token in request.auth.
export const requireToken = requireBearerAuth({
  verifier: { verifyAccessToken },
  requiredScopes: '__SCOPE__'.split(' '),
  resourceMetadataUrl: '__METADATA__',
});
