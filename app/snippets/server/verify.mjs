import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';

const issuer = '__ISSUER__';
const resource = '__RESOURCE__';
const keys = createRemoteJWKSet(new URL(`${issuer}/mcp/oauth/jwks`), { cacheMaxAge: 300_000 });

// Says which tokens were revoked. Each list is fetched again when its time to live is over.
const lists = new Map();

async function fetchList(uri) {
  const answer = await fetch(uri, { signal: AbortSignal.timeout(2000) });
  if (!answer.ok) throw new Error(`${uri} answered ${answer.status}`);
  const options = { subject: uri, typ: 'statuslist+jwt', algorithms: ['ES256'] };
  const { payload } = await jwtVerify(await answer.text(), keys, options);
  const bits = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'));
  return { bits, freshUntil: Date.now() + payload.ttl * 1000, end: payload.exp * 1000 };
}

async function isRevoked({ uri, idx }) {
  let list = lists.get(uri) ?? { freshUntil: 0, end: 0 };
  if (Date.now() >= list.freshUntil) {
    // While the issuer cannot be reached, the last list is believed until its end.
    list = await fetchList(uri).catch(() => ({ ...list, freshUntil: Date.now() + 5000 }));
    lists.set(uri, list);
  }
  if (Date.now() >= list.end) throw new Error('nobody can say whether the token was revoked');
  return ((list.bits[idx >> 3] >> (idx & 7)) & 1) === 1;
}

async function verifyAccessToken(token) {
  const options = { issuer, audience: resource, typ: 'at+jwt', algorithms: ['__ALG__'] };
  const invalid = () => {
    throw new InvalidTokenError('The token is not valid here.');
  };
  const { payload } = await jwtVerify(token, keys, options).catch(invalid);
  const bit = payload.status?.status_list ?? invalid();
  if (await isRevoked(bit).catch(invalid)) invalid();
  return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp };
}

// With Express: app.post('/mcp', requireToken, …). Handlers find the token in request.auth.
export const requireToken = requireBearerAuth({
  verifier: { verifyAccessToken },
  requiredScopes: '__SCOPE__'.split(' '),
  resourceMetadataUrl: '__METADATA__',
});
